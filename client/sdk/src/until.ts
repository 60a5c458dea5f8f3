/** Those who wait until something holds, looking again whenever anything changes that they look at. */
import { liveQuery, type Subscription } from "dexie";
import type { Database } from "./storage/database.js";

export class Until {
  readonly #db: Database;
  readonly #waiting = new Set<() => void>();
  #waiters = 0;
  #changes: Subscription | null = null;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Waits for `look` to return something. Errors: those of `look`. */
  async holds<T>(look: () => Promise<T | null>): Promise<T> {
    this.#waiters++;
    this.#changes ??= this.#hear();
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => this.#waiting.add(resolve));
        const found = await look();
        if (found !== null) return found;
        await changed;
      }
    } finally {
      if (--this.#waiters === 0) {
        this.#changes?.unsubscribe();
        this.#changes = null;
      }
    }
  }

  /** Something else than the outbox has changed. */
  changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** All who wait hear of the outbox together, and at once. */
  #hear(): Subscription {
    const { outbox, sent, settled, rejected } = this.#db;
    const decided = () => sent.where("seq").aboveOrEqual(0).count();
    const counts = () =>
      Promise.all([outbox.count(), decided(), settled.count(), rejected.count()]);
    return liveQuery(counts).subscribe({ next: () => this.changed(), error: () => {} });
  }
}
