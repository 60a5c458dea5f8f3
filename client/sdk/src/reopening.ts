/**
 * How a session goes on under which the browser closed its database: it was evicted, or the user
 * cleared it. It is opened again, and who works with it meanwhile waits for that.
 */
import type { SynclineError } from "./core/errors.js";
import type { Database } from "./storage/database.js";
import { begin, toSyncline, unlessCutOff } from "./storage/open.js";
import { plant, type Seed } from "./storage/seeds.js";
import { pauseToReopen, type Surroundings } from "./surroundings.js";
import type { StatusError } from "./sync/activity.js";

/** What a reopening asks of its session, and tells it. */
interface ReopeningEvents {
  /** Whether another tab has begun a database in the next place. */
  isBehind(): Promise<boolean>;
  /** It was closed; `open` resolves when it is open again, or the session is closed. */
  closed(open: Promise<void>): void;
  /** Another one has taken its place: it is not opened, and the session ends. */
  behind(): void;
  /** It cannot be opened yet. */
  failed(error: StatusError): void;
  /** It has been opened, and is looked at anew. */
  opened(): Promise<void>;
  /** All goes on. */
  done(): void;
}

/** What is opened again. */
interface Opened {
  db: Database;
  /** What is planted in a new one before anything else. */
  seeds: Seed[];
  around: Surroundings;
  /** The session is closed. */
  ended: AbortSignal;
}

export class Reopening {
  readonly #of: Opened;
  readonly #events: ReopeningEvents;
  #isUnderWay = false;
  /** Settled when it is open again, or the session is closed. */
  #done: Promise<void> = Promise.resolve();

  constructor(of: Opened, events: ReopeningEvents) {
    this.#of = of;
    this.#events = events;
    of.db.on("close", () => this.#begin());
  }

  /** The browser closed the database, and it is not open again. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** Does something with the database, again if the browser closed it meanwhile, once that is open. */
  work<T>(work: () => Promise<T>): Promise<T> {
    return unlessCutOff(this.#of.db, () =>
      this.#isUnderWay ? this.#done.then(() => work()) : work(),
    );
  }

  #begin(): void {
    if (this.#of.ended.aborted || this.#isUnderWay) return;
    this.#isUnderWay = true;
    this.#done = this.#openAgain();
    this.#events.closed(this.#done);
  }

  async #openAgain(): Promise<void> {
    const { around, ended } = this.#of;
    if (await this.#events.isBehind()) {
      // Another one has taken its place, and this one was deleted.
      this.#events.behind();
      return new Promise((resolve) => {
        if (ended.aborted) resolve();
        ended.addEventListener("abort", () => resolve());
      });
    }
    for (let tries = 1; !ended.aborted && !(await this.#isOpened()); tries++)
      await pauseToReopen(tries, around, ended);
    this.#isUnderWay = false;
    if (!ended.aborted) this.#events.done();
  }

  /** Tries to open it. False with an error that is told, such as that of a browser still deleting. */
  async #isOpened(): Promise<boolean> {
    const { db, seeds, around } = this.#of;
    try {
      // It may be closed at this moment, and not yet open to be opened.
      await Promise.resolve();
      await db.open();
      await begin(db, around);
      await plant(db, seeds);
      await this.#events.opened();
      return true;
    } catch (error) {
      const { code, message } = toSyncline(error) as SynclineError;
      this.#events.failed({ code, message });
      return false;
    }
  }
}
