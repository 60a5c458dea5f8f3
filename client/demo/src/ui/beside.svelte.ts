/** A task's labels and reminders as they were when it was last there: what deletes it deletes them, too. */
import { untrack } from "svelte";
import type { Whole } from "../todo/edits";
import type { Data } from "./data.svelte";

type Of = Omit<Whole, "task">;

export class Beside {
  #last: Of = $state.raw({ labels: [], reminders: [] });

  /** Made with the component that shows the task. */
  constructor(data: Data, id: string) {
    const { tasks } = data.todo;
    // Each query tells of a deletion by itself: what is gone counts when the task is there after that.
    const now = $derived({
      labels: data.taskLabels.filter(({ task }) => task === id),
      reminders: data.reminders.filter(({ task }) => task === id),
    });
    $effect.pre(() => {
      const seen = now;
      let isOver = false;
      untrack(() => (this.#last = withAll(this.#last, seen)));
      void tasks.get(id).then(
        (task) => task && !isOver && (this.#last = seen),
        () => {},
      );
      return () => (isOver = true);
    });
  }

  get last(): Of {
    return this.#last;
  }
}

const withAll = (before: Of, now: Of): Of => ({
  labels: both(before.labels, now.labels),
  reminders: both(before.reminders, now.reminders),
});

/** Those there are, and those there were. */
function both<T extends { id: string }>(before: readonly T[], now: readonly T[]): T[] {
  return [...now, ...before.filter(({ id }) => !now.some((one) => one.id === id))];
}
