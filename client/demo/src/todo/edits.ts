/**
 * What people do to tasks. Each is one write, so no device ever sees half of it, and goes by what is
 * stored: what is shown may be a moment older.
 */
import { uuid, type Edit } from "@syncline/sdk";
import type { Reminder, Task, TaskLabel } from "@syncline/apps/todo";
import { sayDay, type Day } from "../model/days";
import { last, placesFor } from "../model/order";
import { readTask } from "../model/read";
import { nextDue } from "../model/repeat";
import type { Wanted } from "../model/views";
import { given as labelOf, labelNamed } from "./lists";
import { stillOf } from "./still";
import type { Acting } from "./acting";

/** What can be taken back: a sentence about it, and how. */
export interface Undoable {
  text: string;
  /** Returns `partly` if some of what it changed is gone. */
  undo(): Promise<unknown>;
}

export interface Added extends Undoable {
  /** Whether the project or label was gone in whose view it was made: it has none. */
  isAlone: boolean;
}

/** A task with what belongs to it. */
export interface Whole {
  task: Task;
  labels: readonly TaskLabel[];
  reminders: readonly Reminder[];
}

/** Adds a task and the labels it names that are not there. It is given nothing that is gone. */
export async function add(
  todo: Acting,
  { title, due, labels, isImportant, project, label }: Wanted,
): Promise<Added> {
  const id = uuid();
  const [tasks, known, home] = await Promise.all([
    todo.tasks.query(),
    todo.labels.query(),
    project === null ? undefined : todo.projects.get(project),
  ]);
  const given = known.find((one) => one.id === label);
  const made: string[] = [];
  const edits: Edit[] = [
    todo.tasks.edits.insert({
      id,
      title,
      due,
      done: false,
      priority: isImportant ? "high" : null,
      project: home?.id ?? null,
      order: last(tasks),
    }),
  ];
  const wanted = new Set(given ? [given.id] : []);
  for (const name of labels) {
    const found = labelNamed(known, name);
    if (found.isNew) {
      edits.push(todo.labels.edits.insert({ id: found.id, name }));
      made.push(found.id);
    }
    wanted.add(found.id);
  }
  for (const label of wanted) edits.push(todo.taskLabels.edits.insert(labelOf(id, label)));
  await todo.write(edits);
  const isAlone = (project !== null && !home) || (label !== null && !given);
  return { text: `Added “${title}”`, undo: () => unmake(todo, id, made), isAlone };
}

/** Deletes a task with what belongs to it, and of `labels` those that no other task has. */
async function unmake(todo: Acting, id: string, labels: readonly string[]): Promise<void> {
  const [whole, given] = await Promise.all([wholeOf(todo, id), todo.taskLabels.query()]);
  const used = new Set(given.filter(({ task }) => task !== id).map(({ label }) => label));
  const unused = labels.filter((label) => !used.has(label));
  const edits = [
    ...deleting(todo, whole),
    ...unused.map((label) => todo.labels.edits.delete(label)),
  ];
  if (edits.length > 0) await todo.write(edits);
}

export interface Changed extends Undoable {
  /** What is written when it is taken back. */
  before: Partial<Omit<Task, "id">>;
}

/**
 * Changes fields of a task; `null` if that is what they are, `gone` if it was deleted. After `last`, a
 * change of the same fields, both are one to take back.
 */
export async function change(
  todo: Acting,
  id: string,
  fields: Partial<Omit<Task, "id">>,
  last: Changed | null = null,
): Promise<Changed | "gone" | null> {
  const task = await todo.tasks.get(id);
  if (!task) return "gone";
  const names = Object.keys(fields) as (keyof typeof fields)[];
  if (names.every((name) => (task[name] ?? null) === (fields[name] ?? null))) return null;
  const before = names.every((name) => name in (last?.before ?? {}))
    ? last!.before
    : Object.fromEntries(names.map((name) => [name, task[name] ?? null]));
  await todo.write([todo.tasks.edits.update(id, fields)]);
  const undo = () => todo.write([todo.tasks.edits.update(id, before)]);
  return { text: `Changed “${task.title}”`, before, undo };
}

/** Done, or not after all. One that repeats is due again instead, unless it is already, since `shown`. */
export async function toggle(todo: Acting, shown: Task, today: Day): Promise<Undoable | null> {
  const { id } = shown;
  const task = await todo.tasks.get(id);
  if (!task || (task.repeat && readTask(task).due !== readTask(shown).due)) return null;
  // What is taken back is what was done, whatever was written to the rest since.
  const { done = false, doneAt = null, due = null } = task;
  const undo = () => todo.write([todo.tasks.edits.update(task.id, { done, doneAt })]);
  if (done) {
    await todo.write([todo.tasks.edits.update(task.id, { done: false, doneAt: null })]);
    return { text: `Not done: “${task.title}”`, undo };
  }
  const next = task.repeat ? nextDue(task.repeat, due, today) : null;
  if (next !== null) {
    const reminded = await remindedOf(todo, id);
    const write = (due: Day | null, reminded: readonly Reminder[], isSeen: boolean) =>
      todo.write([
        todo.tasks.edits.update(id, { due }),
        ...reminded.map((one) => todo.reminders.edits.update(one.id, { isSeen })),
      ]);
    await write(next, reminded, true);
    const undo = async () => write(due, await stillOf(todo.reminders, reminded), false);
    return { text: `“${task.title}” comes again: ${sayDay(next, today)}`, undo };
  }
  await todo.write([
    todo.tasks.edits.update(task.id, { done: true, doneAt: new Date().toISOString() }),
  ]);
  return { text: `Done: “${task.title}”`, undo };
}

/** Reminders of a task that are shown now. */
async function remindedOf({ reminders }: Acting, task: string): Promise<Reminder[]> {
  const ahead = await reminders.query({ filter: { task } });
  return ahead.filter(({ at, isSeen }) => !isSeen && Date.parse(at) <= Date.now());
}

/** Deletes a task with its labels and reminders. */
export async function remove(todo: Acting, id: string): Promise<Undoable | null> {
  const { task, ...beside } = await wholeOf(todo, id);
  if (!task) return null;
  await todo.write(deleting(todo, { task, ...beside }));
  return { text: `Deleted “${task.title}”`, undo: () => restore(todo, { task, ...beside }) };
}

/** As far as it is there. */
type Found = Omit<Whole, "task"> & { task: Task | undefined };

async function wholeOf({ tasks, taskLabels, reminders }: Acting, id: string): Promise<Found> {
  const filter = { task: id };
  return {
    task: await tasks.get(id),
    labels: await taskLabels.query({ filter }),
    reminders: await reminders.query({ filter }),
  };
}

const deleting = (todo: Acting, { task, labels, reminders }: Found): Edit[] => [
  ...(task ? [todo.tasks.edits.delete(task.id)] : []),
  ...labels.map(({ id }) => todo.taskLabels.edits.delete(id)),
  ...reminders.map(({ id }) => todo.reminders.edits.delete(id)),
];

/** Brings back what was deleted, here or on another device, but for labels that are gone by now. */
export async function restore(todo: Acting, { task, labels, reminders }: Whole): Promise<void> {
  const known = new Set((await todo.labels.query()).map(({ id }) => id));
  const there = labels.filter(({ label }) => known.has(label));
  await todo.write([
    todo.tasks.edits.insert(task),
    ...there.map((one) => todo.taskLabels.edits.insert(one)),
    ...reminders.map((one) => todo.reminders.edits.insert(one)),
  ]);
}

/** Moves a task to `index` of a list of some of `all`; what `all` has between keeps its order. */
export async function move(
  todo: Acting,
  all: readonly Task[],
  list: readonly Task[],
  id: string,
  index: number,
): Promise<Undoable | null> {
  const task = list.find((one) => one.id === id);
  const places = task ? placesFor(all, list, id, index) : [];
  if (!task || places.length === 0) return null;
  const write = (given: Pick<Task, "id" | "order">[]) =>
    todo.write(given.map(({ id, order = null }) => todo.tasks.edits.update(id, { order })));
  const before = places.map(({ id }) => all.find((one) => one.id === id)!);
  await write(places);
  const undo = async () => {
    const still = await stillOf(todo.tasks, before);
    // With none left it fails as any edit of what is gone.
    await write(still.length > 0 ? still : before);
    return still.length < before.length ? "partly" : null;
  };
  return { text: `Moved “${task.title}”`, undo };
}
