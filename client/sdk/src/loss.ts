import type { Lost } from "./storage/database.js";
import type { StatusError } from "./sync/activity.js";

/** What the browser has done, by what was lost. */
const DONE = {
  evicted: "has evicted the database",
  unreadable: "cannot read the database, and another was begun",
};

/**
 * What was lost with a database, as one tab tells it. Looks read what is kept; one that this tab has
 * written since, or is still writing, is newer than what they read.
 */
export class Loss {
  #lost: Lost = "";
  /** Counts what this tab has begun to write, and has written. */
  #turn = 0;
  #writing = 0;

  /** Taken before a look. */
  get turn(): number {
    return this.#turn;
  }

  /** Takes what a look has read that was begun in this turn, unless something newer is known. */
  looked(turn: number, lost: Lost): void {
    if (turn === this.#turn && this.#writing === 0) this.#lost = lost;
  }

  /** Tells it from now on, and has it kept by `keep`. */
  async set(lost: Lost, keep: (lost: Lost) => Promise<void>): Promise<void> {
    this.#lost = lost;
    this.#turn++;
    this.#writing++;
    try {
      await keep(lost);
    } finally {
      this.#turn++;
      this.#writing--;
    }
  }

  /** As an error of the status. */
  get error(): StatusError | null {
    if (!this.#lost) return null;
    const message = `the browser ${DONE[this.#lost]}; unsent edits are not here`;
    return { code: "storage_lost", message, lost: this.#lost };
  }
}
