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

  async undo(): Promise<void> {
    const { undo } = this.toast ?? {};
    this.toast = null;
    await undo?.();
  }

  /** Runs what may fail and says so. */
  async attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error));
    }
  }

  toggle(task: Task): Promise<void> {
    return this.#leaving(task, async () =>
      this.#did(await toggle(this.todo, task, this.data.today)),
    );
  }

  remove(task: Task): Promise<void> {
    return this.#leaving(task, async () => this.#did(await remove(this.todo, task)));
  }

  did(work: () => Promise<Undoable | null>): Promise<void> {
    return this.attempt(async () => this.#did(await work()));
  }

  move(task: Task, index: number): Promise<void> {
    return this.attempt(() => move(this.todo, this.shown, task.id, index));
  }

  /** Whether the order that is shown is the one that is moved. */
  get isOrdered(): boolean {
    return this.search.trim() === "" && ["all", "project", "label"].includes(this.view.is);
  }

  /** Keeps the focus in the list when the task that has it is about to leave. */
  async #leaving(task: Task, work: () => Promise<void>): Promise<void> {
    const at = this.shown.findIndex(({ id }) => id === task.id);
    const next = this.shown[at + 1] ?? this.shown[at - 1];
    const row = document.getElementById(rowId(task.id));
    if (row?.contains(document.activeElement)) {
      if (next) focusTask(next.id);
      else document.getElementById("view")?.focus();
    }
    await this.attempt(work);
  }
}

export const rowId = (id: string) => `task-${id}`;

export function focusTask(id: string): void {
  document.getElementById(rowId(id))?.querySelector<HTMLElement>(".title")?.focus();
}

export const [getApp, setApp] = createContext<App>();
