/** What a guest has beside what it began with: what goes along into an account, or is lost. */
import type { Label, Project, Reminder, Task, TaskLabel } from "@syncline/apps/todo";
import type { Acting } from "./acting";
import { seeds } from "./seeds";

/** All that a device holds. */
export interface Held {
  tasks: readonly Task[];
  projects: readonly Project[];
  labels: readonly Label[];
  taskLabels: readonly TaskLabel[];
  reminders: readonly Reminder[];
}

export interface Own {
  /** How many records. */
  count: number;
  /** In words for people: “2 tasks, 1 project”. */
  words: string;
}

/** A field that is absent is as good as one that is `null`. */
const isSame = (a: Record<string, unknown>, b: Record<string, unknown>) =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every(
    (name) => (a[name] ?? null) === (b[name] ?? null),
  );

/** Those that were not there at the beginning, or were otherwise. */
function changed<R extends { id: string }>(there: readonly R[], begun: readonly R[]): R[] {
  const before = new Map(begun.map((one) => [one.id, one]));
  return there.filter((one) => {
    const seed = before.get(one.id);
    return !seed || !isSame({ ...one }, { ...seed });
  });
}

/** The same of what is stored. */
export async function ownIn(todo: Acting): Promise<Own> {
  const [tasks, projects, labels, taskLabels, reminders] = await Promise.all([
    todo.tasks.query(),
    todo.projects.query(),
    todo.labels.query(),
    todo.taskLabels.query(),
    todo.reminders.query(),
  ]);
  return ownOf({ tasks, projects, labels, taskLabels, reminders });
}

export function ownOf(held: Held): Own {
  const tasks = changed<Task>(held.tasks, seeds.tasks);
  const named = new Set(tasks.map(({ id }) => id));
  const given = changed(held.taskLabels, seeds.taskLabels);
  const counts: [number, string, string][] = [
    [tasks.length, "task", "tasks"],
    [changed(held.projects, seeds.projects).length, "project", "projects"],
    [changed(held.labels, seeds.labels).length, "label", "labels"],
    // A task that is named goes with the labels that it was given.
    [given.filter(({ task }) => !named.has(task)).length, "label of a task", "labels of tasks"],
    [held.reminders.length, "reminder", "reminders"],
  ];
  const some = counts.filter(([count]) => count > 0);
  return {
    count: some.reduce((sum, [count]) => sum + count, 0),
    words: some.map(([count, one, more]) => `${count} ${count === 1 ? one : more}`).join(", "),
  };
}
