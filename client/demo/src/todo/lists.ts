/** What people do to projects and labels. */
import type { Label, TaskLabel } from "@syncline/apps/todo";
import { labelName } from "../model/labels";
import { last } from "../model/order";
import type { Undoable } from "./edits";
import { withTask } from "./still";
import type { Acting } from "./acting";

/** The record of a task's label is named by both, so that two devices that give it make one. */
export const given = (task: string, label: string): TaskLabel => ({
  id: `${task} ${label}`,
  task,
  label,
});

/**
 * The label of a name, or the id of one to be made. It is named by its name, so that two devices
 * that make it at once make one; where a label has that id and another name by now, by a number too.
 */
export function labelNamed(known: readonly Label[], name: string): { id: string; isNew: boolean } {
  const there = known.find((one) => one.name === name);
  if (there) return { id: there.id, isNew: false };
  const taken = new Set(known.map(({ id }) => id));
  let id = `label-${name}`;
  for (let n = 2; taken.has(id); n++) id = `label-${name} ${n}`;
  return { id, isNew: true };
}

/**
 * Gives a task a label, or takes it; `null` if another device did before, or deleted it. Errors: `Error` with words
 * for people.
 */
export async function label(
  todo: Acting,
  task: string,
  id: string,
  isGiven: boolean,
): Promise<Undoable | null> {
  const there = await todo.taskLabels.query({ filter: { task, label: id } });
  const named = await todo.labels.get(id);
  if (isGiven && !named) throw new Error("That label was deleted.");
  if (isGiven === there.length > 0 || (isGiven && !(await todo.tasks.get(task)))) return null;
  if (isGiven) await todo.write([todo.taskLabels.edits.insert(given(task, id))]);
  else await todo.write(there.map((one) => todo.taskLabels.edits.delete(one.id)));
  const text = `${isGiven ? "Given" : "Taken"}: #${named?.name ?? "label"}`;
  const undo = async () => {
    if (!isGiven && !(await todo.tasks.get(task))) return "partly";
    return label(todo, task, id, !isGiven);
  };
  return { text, undo };
}

/**
 * Gives a task that is there the label of a name, which is made if there is none. Errors: `Error` with
 * words for people.
 */
export async function newLabel(todo: Acting, task: string, text: string): Promise<Undoable | null> {
  const name = labelName(text);
  if (name === "") throw new Error("A label needs a name.");
  if (!(await todo.tasks.get(task))) return null;
  const { id, isNew } = labelNamed(await todo.labels.query(), name);
  if (!isNew) return label(todo, task, id, true);
  await todo.write([
    todo.labels.edits.insert({ id, name }),
    todo.taskLabels.edits.insert(given(task, id)),
  ]);
  return { text: `Given: #${name}`, undo: () => unmakeLabel(todo, task, id) };
}

/** Takes it from the task, and deletes it if no other has it. */
async function unmakeLabel(todo: Acting, task: string, id: string): Promise<void> {
  await label(todo, task, id, false);
  if ((await todo.taskLabels.count({ filter: { label: id } })) === 0)
    await todo.write([todo.labels.edits.delete(id)]);
}

/** Its name is that of no other label. Errors: `Error` with words for people. */
export async function renameLabel(
  todo: Acting,
  id: string,
  text: string,
): Promise<Undoable | null> {
  const name = labelName(text);
  const known = await todo.labels.query();
  const before = known.find((one) => one.id === id)?.name;
  if (name === "") throw new Error("A label needs a name.");
  if (before === undefined || name === before) return null;
  if (known.some((one) => one.name === name)) throw new Error(`There is a label #${name} already.`);
  await todo.write([todo.labels.edits.update(id, { name })]);
  return {
    text: `Renamed #${before} to #${name}`,
    undo: () => todo.write([todo.labels.edits.update(id, { name: before })]),
  };
}

/** Takes the label from every task and deletes it. */
export async function removeLabel(todo: Acting, id: string): Promise<Undoable | null> {
  const { labels, taskLabels } = todo;
  const label = await labels.get(id);
  if (!label) return null;
  const from = await taskLabels.query({ filter: { label: id } });
  await todo.write([
    labels.edits.delete(id),
    ...from.map((one) => taskLabels.edits.delete(one.id)),
  ]);
  const undo = async () => {
    const still = await withTask(todo, from);
    const { id, isNew } = labelAgain(await labels.query(), label);
    const have = await taskLabels.query({ filter: { label: id } });
    // Two records may give it to one task.
    const without = still.filter(
      (one, at) =>
        have.every(({ task }) => task !== one.task) &&
        still.findIndex(({ task }) => task === one.task) === at,
    );
    const edits = [
      ...(isNew ? [labels.edits.insert({ ...label, id })] : []),
      ...without.map((one) => taskLabels.edits.insert(id === label.id ? one : given(one.task, id))),
    ];
    if (edits.length > 0) await todo.write(edits);
    return still.length < from.length ? "partly" : null;
  };
  return { text: `Deleted #${label.name}`, undo };
}

/** What a deleted label is when it comes back: its name may be used again by then, and its id too. */
function labelAgain(known: readonly Label[], { id, name }: Label): ReturnType<typeof labelNamed> {
  const named = labelNamed(known, name);
  const isFree = known.every((one) => one.id !== id);
  return named.isNew && isFree ? { id, isNew: true } : named;
}

export interface AddedProject extends Undoable {
  id: string;
}

/** `leave` is called before it is taken back, if it can be. */
export async function addProject(
  todo: Acting,
  name: string,
  leave: (id: string) => void,
): Promise<AddedProject> {
  const order = last(await todo.projects.query());
  const { id } = await todo.write([todo.projects.edits.insert({ name, order, isArchived: false })]);
  return { id, text: `Added “${name}”`, undo: () => unmake(todo, id, leave) };
}

/** Errors: `Error` with words for people, if tasks are in it. */
async function unmake(todo: Acting, id: string, leave: (id: string) => void): Promise<void> {
  const project = await todo.projects.get(id);
  if (!project) return;
  if ((await todo.tasks.count({ filter: { project: id } })) > 0)
    throw new Error(`“${project.name}” holds a task by now, and stays.`);
  leave(id);
  await todo.write([todo.projects.edits.delete(id)]);
}

export async function renameProject(
  todo: Acting,
  id: string,
  text: string,
): Promise<Undoable | null> {
  const name = text.trim();
  const before = (await todo.projects.get(id))?.name;
  if (before === undefined || name === "" || name === before) return null;
  await todo.write([todo.projects.edits.update(id, { name })]);
  return {
    text: `Renamed “${before}” to “${name}”`,
    undo: () => todo.write([todo.projects.edits.update(id, { name: before })]),
  };
}

/** Its tasks stay, and it can be got back. */
export async function archive(todo: Acting, id: string): Promise<Undoable | null> {
  const project = await todo.projects.get(id);
  if (!project) return null;
  await todo.write([todo.projects.edits.update(id, { isArchived: true })]);
  return { text: `Archived “${project.name}”`, undo: () => unarchive(todo, id) };
}

export async function unarchive(todo: Acting, id: string): Promise<Undoable | null> {
  const project = await todo.projects.get(id);
  if (!project) return null;
  await todo.write([todo.projects.edits.update(id, { isArchived: false })]);
  return { text: `“${project.name}” is back`, undo: () => archive(todo, id) };
}
