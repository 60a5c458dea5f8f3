/**
 * What people do to tasks. Each is one write, so no device ever sees half of it, and goes by what is
 * stored: what is shown may be a moment older.
 */
import type { Edit } from "@syncline/sdk";
import type { Task } from "@syncline/apps/todo";
import { sayDay, type Day } from "../model/days";
import { labelName } from "../model/labels";
import { last, placeAt } from "../model/order";
import { nextDue } from "../model/repeat";
import type { Said } from "../model/words";
import type { Todo } from "./open";

/** What can be taken back: a sentence about it, and how. */
export interface Undoable {
  text: string;
  undo(): Promise<unknown>;
}

/** Adds a task and the labels it names that are not there. Returns its id. */
export async function add(
  todo: Todo,
  { title, due, labels, isImportant }: Said,
  project: string | null,
): Promise<string> {
  const id = crypto.randomUUID();
  const [tasks, known] = await Promise.all([todo.tasks.query(), todo.labels.query()]);
  const edits: Edit[] = [
    todo.tasks.edits.insert({
      id,
      title,
      due,
      done: false,
      priority: isImportant ? "high" : null,
      project,
      order: last(tasks),
    }),
  ];
  for (const name of labels) {
    const there = known.find((one) => one.name === name);
    const label = there?.id ?? labelId(name);
    if (!there) edits.push(todo.labels.edits.insert({ id: label, name }));
    edits.push(todo.taskLabels.edits.insert(given(id, label)));
  }
  await todo.store.write(edits);
  return id;
}

/** A label is named by its name, so that two devices that make it at once make one. */
export const labelId = (name: string) => `label-${name}`;

/** The record of a task's label is named by both, for the same reason. */
const given = (task: string, label: string) => ({ id: `${task} ${label}`, task, label });

/** Gives a task a label, or takes it. */
export async function label(todo: Todo, task: string, id: string, isGiven: boolean): Promise<void> {
  const record = given(task, id);
  const there = await todo.taskLabels.query({ filter: { task, label: id } });
  if (isGiven && there.length === 0) await todo.taskLabels.insert(record);
  if (!isGiven) await todo.store.write(there.map((one) => todo.taskLabels.edits.delete(one.id)));
}

/** Makes a label, if there is none of that name, and gives it to a task. */
export async function newLabel(todo: Todo, task: string, text: string): Promise<void> {
  const name = labelName(text);
  if (name === "") return;
  const [known] = await todo.labels.query({ filter: { name }, limit: 1 });
  const id = known?.id ?? labelId(name);
  if (!known) await todo.labels.insert({ id, name });
  await label(todo, task, id, true);
}

/** Done, or not after all. One that repeats is due again instead. */
export async function toggle(todo: Todo, id: string, today: Day): Promise<Undoable | null> {
  const task = await todo.tasks.get(id);
  if (!task) return null;
  const before = { done: task.done, doneAt: task.doneAt ?? null, due: task.due ?? null };
  const undo = () => todo.tasks.update(task.id, before);
  if (task.done) {
    await todo.tasks.update(task.id, { done: false, doneAt: null });
    return null;
  }
  const next = task.repeat ? nextDue(task.repeat, task.due ?? null, today) : null;
  if (next !== null) {
    await todo.tasks.update(task.id, { due: next });
    return { text: `“${task.title}” comes again: ${sayDay(next, today)}`, undo };
  }
  await todo.tasks.update(task.id, { done: true, doneAt: new Date().toISOString() });
  return { text: `Done: “${task.title}”`, undo };
}

/** Deletes a task with its labels and reminders. */
export async function remove(todo: Todo, id: string): Promise<Undoable | null> {
  const { tasks, taskLabels, reminders, store } = todo;
  const filter = { task: id };
  const task = await tasks.get(id);
  if (!task) return null;
  const labels = await taskLabels.query({ filter });
  const reminding = await reminders.query({ filter });
  await store.write([
    tasks.edits.delete(id),
    ...labels.map(({ id }) => taskLabels.edits.delete(id)),
    ...reminding.map(({ id }) => reminders.edits.delete(id)),
  ]);
  return {
    text: `Deleted “${task.title}”`,
    undo: () =>
      store.write([
        tasks.edits.insert(task),
        ...labels.map((one) => taskLabels.edits.insert(one)),
        ...reminding.map((one) => reminders.edits.insert(one)),
      ]),
  };
}

/** Moves a task to `index` of a list. */
export async function move(
  todo: Todo,
  list: readonly Task[],
  id: string,
  index: number,
): Promise<void> {
  const isThere = list.some((one) => one.id === id);
  const order = isThere ? placeAt(list, id, index) : null;
  if (order !== null) await todo.tasks.update(id, { order });
}

export async function archive(todo: Todo, id: string, name: string): Promise<Undoable> {
  await todo.projects.update(id, { isArchived: true });
  return {
    text: `Archived “${name}”`,
    undo: () => todo.projects.update(id, { isArchived: false }),
  };
}
