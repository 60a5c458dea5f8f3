/**
 * What was typed into a task and is not stored when its page ends, which does not wait for a
 * database. It is kept where keeping it is done at once, and stored when the app starts again.
 */
import type { Task } from "@syncline/apps/todo";
import { keep } from "./keep";
import type { Todo } from "./open";

/** In front of what names one in `localStorage`. */
const KEY = "syncline-todo-draft ";

export interface Draft {
  /** Whose task it is; `null` for a guest's. */
  account: string | null;
  task: string;
  field: "title" | "notes";
  /** What was stored when it was typed. */
  before: string;
  text: string;
}

/** What is stored of what was typed into a field. */
export const storedAs = (field: Draft["field"], typed: string): string | null =>
  field === "title" ? typed.trim() : typed || null;

const keyOf = ({ task, field }: Pick<Draft, "task" | "field">) => `${KEY}${field} ${task}`;

/** Without room for it, it is only as safe as the write that is under way. */
export function keepDraft(draft: Draft): void {
  keep(localStorage, keyOf(draft), JSON.stringify(draft));
}

export function dropDraft(draft: Pick<Draft, "task" | "field">): void {
  localStorage.removeItem(keyOf(draft));
}

export function dropDrafts(): void {
  for (const key of keys()) localStorage.removeItem(key);
}

/** Stores what the last page did not. What somebody has written there since is not written over. */
export async function storeDrafts({ tasks, store }: Todo): Promise<void> {
  await store.ready();
  for (const key of keys()) {
    const draft = JSON.parse(localStorage.getItem(key) ?? "null") as Draft | null;
    if (!draft || draft.account !== store.account) continue;
    const { task, field, before, text } = draft;
    const there = await tasks.get(task);
    if (there && (there[field] ?? "") === before)
      await tasks.update(task, { [field]: storedAs(field, text) } as Partial<Task>);
    localStorage.removeItem(key);
  }
}

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(KEY));
