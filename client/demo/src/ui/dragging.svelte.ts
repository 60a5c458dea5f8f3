/** Dragging a task by its handle, with mouse, pen or finger. */
import type { Task } from "@syncline/apps/todo";
import { isComposed } from "../model/keys";
import { rowId, type App } from "./app.svelte";

/** So near to the top or the bottom of the list's room, in CSS pixels, the page scrolls along. */
const EDGE_PX = 72;

/** How far it scrolls in a frame at most, in CSS pixels. */
const SCROLL_PX = 14;

export class Dragging {
  readonly #app: App;
  /** The task that is held, and where it would be put. */
  #held = $state.raw<{ id: string; index: number } | null>(null);
  /** Where the pointer is, down from the top of the window. */
  #y = 0;
  #listening = new AbortController();

  /** Made with the component that shows the list. */
  constructor(app: App) {
    this.#app = app;
    // A key may lead to another list, where the place is no place.
    $effect(() => {
      void [app.view, app.search];
      return () => this.#letGo();
    });
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
    this.#y = event.clientY;
    this.#listen(event.pointerId);
  }

  /** To the whole page: the handle moves in it with its row, and what it captured would be lost. */
  #listen(pointerId: number): void {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const on = (type: "pointermove" | "pointerup" | "pointercancel", call: (y: number) => void) => {
      const heard = (event: PointerEvent) => {
        if (event.pointerId !== pointerId) return;
        if (type !== "pointermove") this.#listening.abort();
        call(event.clientY);
      };
      addEventListener(type, heard, { signal });
    };
    on("pointermove", (y) => {
      this.#y = y;
      this.#over();
    });
    on("pointerup", () => void this.#end());
    on("pointercancel", () => this.#letGo());
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || isComposed(event)) return;
      event.preventDefault();
      this.#letGo();
    };
    addEventListener("keydown", pressed, { capture: true, signal });
    this.#scrollAlong(signal);
  }

  #letGo(): void {
    this.#listening.abort();
    this.#held = null;
  }

  /** Until the drag ends, frame by frame: the pointer may rest where there is more to come. */
  #scrollAlong(signal: AbortSignal): void {
    const frame = () => {
      if (signal.aborted) return;
      const before = scrollY;
      scrollBy({ top: this.#pull(), behavior: "instant" });
      if (scrollY !== before) this.#over();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** How far the page is to scroll, down or (negative) up: the further, the nearer the edge is. */
  #pull(): number {
    // What stays above the list takes the place of the window's edge.
    const header = document.querySelector("header")?.getBoundingClientRect().bottom ?? 0;
    const top = Math.max(0, header);
    const up = EDGE_PX - (this.#y - top);
    const down = EDGE_PX - (innerHeight - this.#y);
    const part = Math.min(1, Math.max(up, down, 0) / EDGE_PX);
    return Math.ceil(part * SCROLL_PX) * (up > down ? -1 : 1);
  }

  #over(): void {
    if (!this.#held) return;
    const { id } = this.#held;
    // As many are above it as have their middle above the pointer.
    const others = this.#app.shown.filter((one) => one.id !== id);
    const index = others.filter((one) => middle(one.id) < this.#y).length;
    if (index !== this.#held.index) this.#held = { id, index };
  }

  async #end(): Promise<void> {
    const held = this.#held;
    const task = this.#app.shown.find(({ id }) => id === held?.id);
    if (held && task && this.#app.isOrdered) await this.#app.move(task, held.index);
    this.#held = null;
  }
}

function middle(id: string): number {
  const box = document.getElementById(rowId(id))?.getBoundingClientRect();
  return box ? box.top + box.height / 2 : 0;
}
