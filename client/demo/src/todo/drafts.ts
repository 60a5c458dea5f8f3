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
  /** What was stored when it was typed, and what its page wrote since. */
  before: readonly string[];
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

/** One that was not stored: its task is gone, somebody has written there since, or it failed. */
export interface Left {
  draft: Draft;
  /** What its task is called; `undefined` for one that was deleted. */
  title: string | undefined;
}

/**
 * Stores what the last page did not. What somebody has written there since is not written over: that is
 * left, as is what cannot be stored. It stays until it is dropped. Errors: those of the store.
 */
export async function storeDrafts({ tasks, store }: Todo): Promise<Left[]> {
  await store.ready();
  const left: Left[] = [];
  for (const key of keys()) {
    const draft = JSON.parse(localStorage.getItem(key) ?? "null") as Draft | null;
    if (!draft || draft.account !== store.account) continue;
    const { task, field, before, text } = draft;
    const wanted = storedAs(field, text);
    const there = await tasks.get(task);
    const held = there?.[field] ?? null;
    const isStored = there !== undefined && held === wanted;
    const isOthers = there === undefined || !before.includes(held ?? "");
    const write = () => tasks.update(task, { [field]: wanted } as Partial<Task>);
    // One that fails keeps none of the others back.
    if (isStored || (!isOthers && (await succeeds(write)))) localStorage.removeItem(key);
    else left.push({ draft, title: there?.title });
  }
  return left;
}

const succeeds = (work: () => Promise<unknown>) =>
  work().then(
    () => true,
    () => false,
  );

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(KEY));
