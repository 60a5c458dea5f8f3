/** Dragging a task by its handle, with mouse, pen or finger. */
import type { Task } from "@syncline/apps/todo";
import { rowId, type App } from "./app.svelte";

export class Dragging {
  readonly #app: App;
  /** The task that is held, and where it would be put. */
  #held = $state.raw<{ id: string; index: number } | null>(null);

  constructor(app: App) {
    this.#app = app;
  }

  isHeld(id: string): boolean {
    return this.#held?.id === id;
  }

  /** The list as it would be. */
  preview(list: readonly Task[]): readonly Task[] {
    const held = this.#held;
    const task = list.find(({ id }) => id === held?.id);
    if (!held || !task) return list;
    const others = list.filter((one) => one !== task);
    return [...others.slice(0, held.index), task, ...others.slice(held.index)];
  }

  start(event: PointerEvent, task: Task): void {
    if (event.button !== 0 || this.#held || !this.#app.isOrdered) return;
    event.preventDefault();
    const index = this.#app.shown.findIndex(({ id }) => id === task.id);
    this.#held = { id: task.id, index };
    this.#listen(event.pointerId);
  }

  /** To the whole page: the handle moves in it with its row, and what it captured would be lost. */
  #listen(pointerId: number): void {
    const listening = new AbortController();
    const on = (type: "pointermove" | "pointerup" | "pointercancel", call: (y: number) => void) => {
      const heard = (event: PointerEvent) => {
        if (event.pointerId !== pointerId) return;
        if (type !== "pointermove") listening.abort();
        call(event.clientY);
      };
      addEventListener(type, heard, { signal: listening.signal });
    };
    on("pointermove", (y) => this.#over(y));
    on("pointerup", () => void this.#end());
    on("pointercancel", () => (this.#held = null));
  }

  #over(y: number): void {
    if (!this.#held) return;
    const { id } = this.#held;
    // As many are above it as have their middle above the pointer.
    const others = this.#app.shown.filter((one) => one.id !== id);
    const index = others.filter((one) => middle(one.id) < y).length;
    if (index !== this.#held.index) this.#held = { id, index };
  }

  async #end(): Promise<void> {
    const held = this.#held;
    const task = this.#app.shown.find(({ id }) => id === held?.id);
    if (held && task) await this.#app.move(task, held.index);
    this.#held = null;
  }
}

function middle(id: string): number {
  const box = document.getElementById(rowId(id))?.getBoundingClientRect();
  return box ? box.top + box.height / 2 : 0;
}
