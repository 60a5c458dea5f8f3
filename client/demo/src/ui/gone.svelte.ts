/**
 * What becomes of the page when what it is at is gone: another tab or device may delete a project, a
 * label or a task, and a link may lead to one that is not there any more.
 */
import { untrack } from "svelte";
import { statusOf } from "@syncline/sdk/svelte";
import type { View } from "../model/views";
import type { App } from "./app.svelte";

/** Called while the app is made, and follows it from then on. */
export function leaveGone(app: App): void {
  const gone = new Gone(app);
  const status = statusOf(app.todo.store);
  $effect(() => {
    const { view } = app;
    const name = app.data.nameOf(view);
    // What is not there yet may come when the device is filled.
    void status.current.status;
    untrack(() => gone.sees(view, name));
  });
  $effect(() => {
    const { editing } = app;
    const isThere = app.data.tasks.some(({ id }) => id === editing);
    void status.current.status;
    untrack(() => editing !== null && void gone.edits(editing, isThere));
  });
}

class Gone {
  readonly #app: App;
  /** The last view of a project or label that was there, and what that is called. */
  #seen: { view: View; name: string } | null = null;
  /** The last task that was edited and there. */
  #edited: string | null = null;

  constructor(app: App) {
    this.#app = app;
  }

  /** A view does not outlive its project or label. */
  sees(view: View, name: string | undefined): void {
    if (name !== undefined) this.#seen = { view, name };
    else if (this.#seen?.view === view)
      this.#leave(`${this.#seen.name} was deleted: here are all tasks.`);
    else if ("id" in view) void this.#asksFor(view);
  }

  /** One that is deleted while it is edited stays open; one that a link leads to must be there. */
  async edits(id: string, isThere: boolean): Promise<void> {
    const app = this.#app;
    if (isThere) this.#edited = id;
    if (this.#edited === id || !(await this.#isGone(app.todo.tasks, id))) return;
    if (app.editing !== id) return;
    app.corrections++;
    app.editing = null;
    app.say("That task is not there any more.");
  }

  /** A link may lead to what is gone, or to what is not here yet. */
  async #asksFor(view: View & { id: string }): Promise<void> {
    const { projects, labels } = this.#app.todo;
    const isGone = await this.#isGone(view.is === "project" ? projects : labels, view.id);
    if (isGone && this.#app.view === view)
      this.#leave("That list is not there any more: here are all tasks.");
  }

  #leave(why: string): void {
    const app = this.#app;
    app.corrections++;
    app.view = { is: "all" };
    if (app.sheet === "rename") app.sheet = null;
    app.say(why);
  }

  /** Not while an account's device is filled for the first time. */
  async #isGone(collection: { get(id: string): Promise<unknown> }, id: string): Promise<boolean> {
    const { store } = this.#app.todo;
    try {
      if (await collection.get(id)) return false;
      return store.account === null || (await store.inspect()).cursor !== null;
    } catch {
      // It cannot be told now.
      return false;
    }
  }
}
