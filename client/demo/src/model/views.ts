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

export const isSame = (a: View, b: View) =>
  a.is === b.is && ("id" in a ? a.id : "") === ("id" in b ? b.id : "");

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
