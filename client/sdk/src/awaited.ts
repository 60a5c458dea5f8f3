/**
 * Those who wait for what becomes of mutations of one database. However many they are, they are
 * looked after together, and only when a verdict may have come.
 */
import { SynclineError } from "./core/errors.js";
import type { Database } from "./storage/database.js";
import { look, type Looked, type Made, type Verdict } from "./storage/verdicts.js";
import { watch } from "./storage/watch.js";

/** What changes when a mutation gets its verdict: none does by being written. */
const TOLD_BY = ["sent", "settled", "rejected", "outbox/:dels"];

interface Waiter {
  made: Made;
  resolve(verdict: Verdict): void;
  reject(error: unknown): void;
}

/** What somebody who looks tells, and is told. */
export interface Looks {
  /** Does the work again if the browser closed the database meanwhile. */
  work<T>(work: () => Promise<T>): Promise<T>;
  /** Before a look, which gets what it returns. */
  begins(): number;
  /** Before anybody is told of a verdict. */
  looked(turn: number, looked: Looked): void;
  /** What a look failed with is nobody's concern: another one will follow. */
  isPassing(error: unknown): boolean;
}

export class Awaited {
  readonly #db: Database;
  readonly #looks: Looks;
  readonly #all = new Set<Waiter>();
  /** Those that have not been looked after yet. */
  #fresh: Waiter[] = [];
  #hasChanged = false;
  #isLooking = false;
  #unwatch: (() => void) | undefined;

  constructor(db: Database, looks: Looks) {
    this.#db = db;
    this.#looks = looks;
  }

  /** What becomes of a mutation. Errors: of `end`, and what a look fails with. */
  of(made: Made): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const waiter = { made, resolve, reject };
      this.#all.add(waiter);
      this.#fresh.push(waiter);
      this.#unwatch ??= watch(this.#db, TOLD_BY, this.#changed, 0);
      void this.#look();
    });
  }

  /** Another database took the place of the one that was watched. */
  restart(): void {
    this.#stop();
    if (this.#all.size > 0) this.#unwatch = watch(this.#db, TOLD_BY, this.#changed, 0);
  }

  /** Nobody will be told any more. */
  end(error: unknown): void {
    for (const { reject } of this.#all) reject(error);
    this.#all.clear();
    this.#stop();
  }

  readonly #changed = async (): Promise<boolean> => {
    this.#hasChanged = true;
    await this.#look();
    return false;
  };

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    // Who asks in one go is answered together.
    await Promise.resolve();
    try {
      while (this.#all.size > 0 && (this.#hasChanged || this.#fresh.length > 0)) await this.#once();
    } finally {
      this.#isLooking = false;
      if (this.#all.size === 0) this.#stop();
    }
  }

  async #once(): Promise<void> {
    const waiters = this.#hasChanged ? [...this.#all] : this.#fresh;
    this.#fresh = [];
    this.#hasChanged = false;
    const turn = this.#looks.begins();
    try {
      const ns = [...new Set(waiters.map(({ made }) => made.n))];
      const looked = await this.#looks.work(() => look(this.#db, ns));
      this.#looks.looked(turn, looked);
      for (const waiter of waiters) this.#tell(waiter, looked);
    } catch (error) {
      if (this.#looks.isPassing(error)) return;
      for (const waiter of waiters) if (this.#all.delete(waiter)) waiter.reject(error);
    }
  }

  #tell(waiter: Waiter, { stay, verdicts }: Looked): void {
    const { made, resolve } = waiter;
    const isOver = made.stay !== "" && stay !== "" && made.stay !== stay;
    const verdict = isOver ? { n: made.n, status: "discarded" as const } : verdicts.get(made.n);
    if (verdict && this.#all.delete(waiter)) resolve(verdict);
  }

  #stop(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

/** A write that was given up is nobody's to wait for. */
export function discarded(): SynclineError {
  return new SynclineError("stopped", "the write was discarded");
}
