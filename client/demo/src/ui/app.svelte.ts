/** What the page is at: view, search, what is open, what was done last. Only this tab's. */
import { createContext } from "svelte";
import type { Task } from "@syncline/apps/todo";
import { select, type View } from "../model/views";
import { move, remove, toggle, type Undoable } from "../todo/edits";
import type { Todo } from "../todo/open";
import { Data } from "./data.svelte";

export type Sheet = "sign-in" | "account" | "help" | "rejected" | "debug" | "lists";

/** How long a toast stays. Undo works by key for as long as there is nothing newer. */
const TOAST_MS = 8_000;

export class App {
  readonly data: Data;
  view = $state.raw<View>({ is: "all" });
  search = $state("");
  sheet = $state<Sheet | null>(null);
  /** The id of the task that is edited. */
  editing = $state<string | null>(null);
  toast = $state.raw<{ text: string; undo?: () => Promise<unknown> } | null>(null);
  readonly shown = $derived.by(() => select(this.data.tasks, this.view, this.search, this.data));
  #toastEnds: ReturnType<typeof setTimeout> | undefined;
  /** What people do, until the last of it is stored. */
  #doing: Promise<void> = Promise.resolve();

  constructor(todo: Todo) {
    this.data = new Data(todo);
  }

  get todo(): Todo {
    return this.data.todo;
  }

  go(view: View): void {
    this.view = view;
    this.search = "";
    if (this.sheet === "lists") this.sheet = null;
  }

  say(text: string, undo?: () => Promise<unknown>): void {
    clearTimeout(this.#toastEnds);
    this.toast = { text, undo };
    this.#toastEnds = setTimeout(() => (this.toast = null), TOAST_MS);
  }

  #did(done: Undoable | null): void {
    if (done) this.say(done.text, done.undo);
  }

  /** Takes back what was done last, also what is still being done. */
  undo(): Promise<void> {
    return this.attempt(async () => {
      const { undo } = this.toast ?? {};
      this.toast = null;
      await undo?.();
    });
  }

  /**
   * Runs what may fail and says so. One comes after the other: hands are faster than what they
   * change is stored and shown, so each goes by what is stored when its turn comes.
   */
  attempt(work: () => Promise<unknown>): Promise<void> {
    this.#doing = this.#doing.then(work).then(
      () => {},
      (error: unknown) => this.say(error instanceof Error ? error.message : String(error)),
    );
    return this.#doing;
  }

  did(work: () => Promise<Undoable | null>): Promise<void> {
    return this.attempt(async () => this.#did(await work()));
  }

  toggle({ id }: Task): Promise<void> {
    this.#leave(id);
    return this.did(() => toggle(this.todo, id, this.data.today));
  }

  remove({ id }: Task): Promise<void> {
    this.#leave(id);
    return this.did(() => remove(this.todo, id));
  }

  /** Moves a task to `index` of the list. */
  move({ id }: Task, index: number): Promise<void> {
    return this.attempt(async () => move(this.todo, await this.#listed(), id, index));
  }

  /** Moves a task up (-1) or down (1). */
  step({ id }: Task, by: -1 | 1): Promise<void> {
    return this.attempt(async () => {
      const list = await this.#listed();
      await move(this.todo, list, id, list.findIndex((one) => one.id === id) + by);
    });
  }

  /** Whether the order that is shown is the one that is moved. */
  get isOrdered(): boolean {
    return this.search.trim() === "" && ["all", "project", "label"].includes(this.view.is);
  }

  /** What is shown, as it is stored. */
  async #listed(): Promise<Task[]> {
    return select(await this.todo.tasks.query(), this.view, this.search, this.data);
  }

  /** The focus goes on in the list, when the task that has it is about to leave. */
  #leave(id: string): void {
    const at = this.shown.findIndex((one) => one.id === id);
    const next = this.shown[at + 1] ?? this.shown[at - 1];
    const row = document.getElementById(rowId(id));
    if (!row?.contains(document.activeElement)) return;
    if (next) focusTask(next.id);
    else document.getElementById("view")?.focus();
  }
}

export const rowId = (id: string) => `task-${id}`;

export function focusTask(id: string): void {
  document.getElementById(rowId(id))?.querySelector<HTMLElement>(".title")?.focus();
}

export const [getApp, setApp] = createContext<App>();
