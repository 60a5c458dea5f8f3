/** Which tasks a view shows. */
import type { Task } from "@syncline/apps/todo";
import { plusDays, type Day } from "./days";
import { inOrder } from "./order";
import type { Said } from "./words";

export type View =
  | { is: "all" | "today" | "upcoming" | "done" }
  | { is: "project"; id: string }
  | { is: "label"; id: string };

export const VIEWS = [
  { view: { is: "all" }, name: "All tasks" },
  { view: { is: "today" }, name: "Today" },
  { view: { is: "upcoming" }, name: "Upcoming" },
  { view: { is: "done" }, name: "Done" },
] as const satisfies { view: View; name: string }[];

/** Names a view. */
export const keyOf = (view: View) => ("id" in view ? `${view.is} ${view.id}` : view.is);

export const isSame = (a: View, b: View) => keyOf(a) === keyOf(b);

/** What a task is found by, beside itself. */
export interface Beside {
  today: Day;
  labelsOf(task: Task): { id: string; name: string }[];
  projectOf(task: Task): { name: string } | undefined;
}

/** A task to be made: what its text says, and what the view gives in which it is made. */
export interface Wanted extends Said {
  project: string | null;
  /** The id of a label beside those the text names. */
  label: string | null;
}

/** A task is shown in the view in which it is made, unless its text says a day that is not. */
export function madeIn(view: View, said: Said, today: Day): Wanted {
  const due = {
    today,
    upcoming: plusDays(today, 1),
    all: null,
    done: null,
    project: null,
    label: null,
  };
  return {
    ...said,
    due: said.due ?? due[view.is],
    project: view.is === "project" ? view.id : null,
    label: view.is === "label" ? view.id : null,
  };
}

/** Where a new task is shown that the view does not show; `null` if it does. */
export function wentTo(view: View, due: Day | null, today: Day): (typeof VIEWS)[number] | null {
  if (view.is !== "today" && view.is !== "upcoming") return null;
  const is = due === null ? "all" : due > today ? "upcoming" : "today";
  return is === view.is ? null : VIEWS.find((one) => one.view.is === is)!;
}

/** How many tasks each view shows that shows any, by the view's key. */
export function countsOf(
  tasks: readonly Task[],
  { today, labelsOf }: Beside,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const task of tasks)
    for (const view of viewsOf(task, today, labelsOf)) {
      const key = keyOf(view);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  return counts;
}

/** Those that show a task. */
function viewsOf(task: Task, today: Day, labelsOf: Beside["labelsOf"]): View[] {
  const { due, project } = task;
  if (task.done) return [{ is: "done" }];
  return [
    { is: "all" },
    ...(due ? [{ is: due > today ? "upcoming" : "today" } as const] : []),
    ...(project ? [{ is: "project", id: project } as const] : []),
    ...labelsOf(task).map(({ id }) => ({ is: "label", id }) as const),
  ];
}

/** The tasks of a view that hold every word of `search`. */
export function select(tasks: readonly Task[], view: View, search: string, beside: Beside): Task[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = tasks.filter(
    (task) =>
      // A search looks everywhere, also among what is done.
      (words.length > 0 || isIn(task, view, beside)) && holdsAll(textOf(task, beside), words),
  );
  if (words.length > 0) return inOrder(found).sort((a, b) => Number(a.done) - Number(b.done));
  if (view.is === "done")
    return found.sort((a, b) => (b.doneAt ?? "").localeCompare(a.doneAt ?? ""));
  const ordered = inOrder(found);
  if (view.is !== "today" && view.is !== "upcoming") return ordered;
  return ordered.sort((a, b) => (a.due ?? "").localeCompare(b.due ?? ""));
}

const isIn = (task: Task, view: View, { today, labelsOf }: Beside) =>
  viewsOf(task, today, labelsOf).some((one) => isSame(one, view));

function textOf(task: Task, { labelsOf, projectOf }: Beside): string {
  const labels = labelsOf(task).map(({ name }) => `#${name}`);
  return [task.title, task.notes, projectOf(task)?.name, ...labels].join("\n").toLowerCase();
}

const holdsAll = (text: string, words: string[]) => words.every((word) => text.includes(word));
