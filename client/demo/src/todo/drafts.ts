/**
 * What was typed into a task and is not stored when its page ends, which does not wait for a
 * database. It is kept where keeping it is done at once, and stored when the app starts again.
 */
import { uuid } from "@syncline/sdk";
import type { Task } from "@syncline/apps/todo";
import { keep } from "./keep";
import type { Acting } from "./acting";

/** In front of what names one in `localStorage`. */
const KEY = "syncline-todo-draft ";

/** In front of what names one that is left. */
const LEFT = `${KEY}left `;

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

/** What a draft is of: accounts that use one browser may have tasks of one id. */
type Of = Pick<Draft, "account" | "task" | "field">;

/** A guest's has a name without any. */
const keyOf = ({ account, task, field }: Of) =>
  KEY + (account === null ? `${field} ${task}` : JSON.stringify([account, field, task]));

/** Without room for it, it is only as safe as the write that is under way. */
export function keepDraft(draft: Draft): void {
  keep(localStorage, keyOf(draft), JSON.stringify(draft));
}

export function dropDraft(draft: Of): void {
  localStorage.removeItem(keyOf(draft));
}

/** Returns what drops it when something is stored there, but not what was kept since and is not that. */
export function dropsDraft(of: Of): (stored: string | null) => void {
  const key = keyOf(of);
  const before = localStorage.getItem(key);
  return (stored) => {
    const kept = localStorage.getItem(key);
    if (kept === null) return;
    const { text } = JSON.parse(kept) as Draft;
    if (kept === before || storedAs(of.field, text) === stored) localStorage.removeItem(key);
  };
}

/** Those of an account; with `null` a guest's. */
export function dropDrafts(account: string | null): void {
  for (const key of keysOf(account)) localStorage.removeItem(key);
}

/** What a guest typed goes along into the account, beside what that has there. */
export function giveDrafts(account: string): void {
  for (const key of keysOf(null)) {
    const draft: Draft = { ...read(key)!, account };
    const own = keyOf(draft);
    const isTaken = localStorage.getItem(own) !== null;
    const given = key.startsWith(LEFT) ? key : isTaken ? nameOfLeft() : own;
    localStorage.removeItem(key);
    keep(localStorage, given, JSON.stringify(draft));
  }
}

/** One that was not stored: its task is gone, somebody has written there since, or it failed. */
export interface Left {
  /** What names it in `localStorage`, where what is typed there from now on has another name. */
  key: string;
  draft: Draft;
  /** What its task is called; `undefined` for one that was deleted. */
  title: string | undefined;
}

/** Somebody has taken it, or does not want it. */
export function dropLeft({ key }: Left): void {
  localStorage.removeItem(key);
}

/**
 * Stores what the last page of an account, or a guest's, did not. What somebody has written there since is not written over: that is
 * left, as is what cannot be stored. It stays until it is dropped. Errors: those of the store.
 */
export async function storeDrafts(todo: Acting, account: string | null): Promise<Left[]> {
  const left: Left[] = [];
  for (const key of keys()) {
    const kept = localStorage.getItem(key);
    const draft = JSON.parse(kept ?? "null") as Draft | null;
    if (!draft || draft.account !== account) continue;
    const { task, field, before, text } = draft;
    const wanted = storedAs(field, text);
    const there = await todo.tasks.get(task);
    const held = there?.[field] ?? null;
    const isStored = there !== undefined && held === wanted;
    const isOthers = there === undefined || !before.includes(held ?? "");
    const edit = todo.tasks.edits.update(task, { [field]: wanted } as Partial<Task>);
    const write = () => todo.write([edit]);
    // One that fails keeps none of the others back.
    const isWritten = isStored || (!isOthers && (await succeeds(write)));
    // Another tab may have taken it, or somebody types there by now.
    if (localStorage.getItem(key) !== kept) continue;
    if (isWritten) localStorage.removeItem(key);
    else left.push({ key: putAside(key, draft), draft, title: there?.title });
  }
  return left;
}

/** Returns what names it from then on. */
function putAside(key: string, draft: Draft): string {
  if (key.startsWith(LEFT)) return key;
  localStorage.removeItem(key);
  return keepLeft(draft);
}

/** Keeps what is left of a page that is still there. Returns what names it. */
export function keepLeft(draft: Draft): string {
  const key = nameOfLeft();
  keep(localStorage, key, JSON.stringify(draft));
  return key;
}

const nameOfLeft = () => `${LEFT}${uuid()}`;

const succeeds = (work: () => Promise<unknown>) =>
  work().then(
    () => true,
    () => false,
  );

const keysOf = (account: string | null) => keys().filter((key) => read(key)?.account === account);

const read = (key: string) => JSON.parse(localStorage.getItem(key) ?? "null") as Draft | null;

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(KEY));
