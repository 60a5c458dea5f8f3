/** Which tasks a view shows. */
import type { Task } from "@syncline/apps/todo";
import { inOrder } from "./order";
import type { Day } from "./days";

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

export const isSame = (a: View, b: View) =>
  a.is === b.is && ("id" in a ? a.id : "") === ("id" in b ? b.id : "");

/** What a task is found by, beside itself. */
export interface Beside {
  today: Day;
  labelsOf(task: Task): { id: string; name: string }[];
  projectOf(task: Task): { name: string } | undefined;
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

function isIn(task: Task, view: View, { today, labelsOf }: Beside): boolean {
  if (view.is === "done") return task.done;
  if (task.done) return false;
  switch (view.is) {
    case "all":
      return true;
    case "today":
      return !!task.due && task.due <= today;
    case "upcoming":
      return !!task.due && task.due > today;
    case "project":
      return task.project === view.id;
    case "label":
      return labelsOf(task).some(({ id }) => id === view.id);
  }
}

function textOf(task: Task, { labelsOf, projectOf }: Beside): string {
  const labels = labelsOf(task).map(({ name }) => `#${name}`);
  return [task.title, task.notes, projectOf(task)?.name, ...labels].join("\n").toLowerCase();
}

const holdsAll = (text: string, words: string[]) => words.every((word) => text.includes(word));
