/** Tasks as they are read: other clients of an account may have written what Todo can make nothing of. */
import type { Task } from "@syncline/apps/todo";
import { isDay } from "./days";

/** The same one where all of it is as Todo writes it. What is no day or no moment is none. */
export function readTask(task: Task): Task {
  const { done, due = null, doneAt = null } = task;
  const read = {
    done: done === true,
    due: due !== null && isDay(due) ? due : null,
    doneAt: isMoment(doneAt) ? doneAt : null,
  };
  const isSame = read.done === done && read.due === due && read.doneAt === doneAt;
  return isSame ? task : { ...task, ...read };
}

const isMoment = (value: unknown) => typeof value === "string" && !Number.isNaN(Date.parse(value));
