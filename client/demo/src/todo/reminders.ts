/** What people do to reminders. */
import { sayMoment } from "../model/days";
import type { Undoable } from "./edits";
import { withTask } from "./still";
import type { Acting } from "./acting";

/** Of a task that is there. `at`: a moment, as ISO 8601 has it. */
export async function remind(todo: Acting, task: string, at: string): Promise<Undoable | null> {
  if (!(await todo.tasks.get(task))) return null;
  const { id } = await todo.write([todo.reminders.edits.insert({ task, at, isSeen: false })]);
  return {
    text: `Reminder: ${sayMoment(at)}`,
    undo: () => todo.write([todo.reminders.edits.delete(id)]),
  };
}

export async function removeReminder(todo: Acting, id: string): Promise<Undoable | null> {
  const reminder = await todo.reminders.get(id);
  if (!reminder) return null;
  await todo.write([todo.reminders.edits.delete(id)]);
  const undo = async () => {
    const still = await withTask(todo, [reminder]);
    if (still.length === 0) return "partly";
    return todo.write(still.map((one) => todo.reminders.edits.insert(one)));
  };
  return { text: `Removed reminder: ${sayMoment(reminder.at)}`, undo };
}

/** It reminds no more. */
export async function see(todo: Acting, id: string): Promise<Undoable | null> {
  const reminder = await todo.reminders.get(id);
  if (!reminder || reminder.isSeen) return null;
  await todo.write([todo.reminders.edits.update(id, { isSeen: true })]);
  return {
    text: `Seen: ${sayMoment(reminder.at)}`,
    undo: () => todo.write([todo.reminders.edits.update(id, { isSeen: false })]),
  };
}
