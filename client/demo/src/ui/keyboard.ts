/** Carries out what keys say. */
import { commandOf, isComposed, type Command } from "../model/keys";
import { focusTask, rowId, type App } from "./app.svelte";

/** What goes on while its key is held. */
const MAY_REPEAT: ReadonlySet<Command> = new Set(["next", "previous", "up", "down"]);

/** Listens until the function that it returns is called. */
export function listen(app: App): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.defaultPrevented || isComposed(event) || isBusy(event.target as HTMLElement)) return;
    const command = commandOf(event, app.takesLetters ? "taken" : "left");
    // A key that is held would take one task after the other.
    if (command && event.repeat && !MAY_REPEAT.has(command)) event.preventDefault();
    else if (command && run(app, command, event.target as HTMLElement)) event.preventDefault();
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

/** What is typed into fields, and everything while a sheet is open, is not a command. */
function isBusy(target: HTMLElement): boolean {
  if (document.querySelector("dialog[open]")) return true;
  const typed = "input:not([type=checkbox]), select, textarea";
  return target.closest(typed) !== null;
}

/** True if the key was meant. */
function run(app: App, command: Command, target: HTMLElement): boolean {
  const row = target.closest("[data-task]");
  const at = app.shown.findIndex(({ id }) => rowId(id) === row?.id);
  const task = app.shown[at];
  switch (command) {
    case "new":
      document.getElementById("new-task")?.focus();
      return true;
    case "search":
      document.getElementById("search")?.focus();
      return true;
    case "next":
    case "previous": {
      const to = command === "next" ? at + 1 : Math.max(0, at - 1);
      const next = app.shown[Math.min(to, app.shown.length - 1)];
      if (next) focusTask(next.id);
      return true;
    }
    case "undo":
      void app.undo();
      return true;
    case "all":
    case "today":
    case "upcoming":
      app.go({ is: command });
      return true;
    case "finished":
      app.go({ is: "done" });
      return true;
    case "help":
      app.sheet = "help";
      return true;
  }
  if (!task) return false;
  switch (command) {
    case "done":
      // A button's own, but for the title's.
      if (target.closest("button:not(.title)")) return false;
      void app.toggle(task);
      return true;
    case "edit":
      app.editing = task.id;
      return true;
    case "delete":
      void app.remove(task);
      return true;
    case "up":
    case "down":
      if (app.isOrdered) void app.step(task, command === "up" ? -1 : 1);
      return true;
  }
}
