/** Writes that the hub refused for good. They wait here until somebody decides, and block nothing. */
import { liveQuery } from "dexie";
import { SynclineError } from "./core/errors";
import { stamp } from "./core/clock";
import { format } from "./core/hlc";
import type { Change } from "./core/wire";
import type { Home, Live } from "./collection";
import type { Database, RejectedRow } from "./storage/database";
import { take } from "./storage/outbox";
import { restamped } from "./storage/stamps";

export interface Rejected {
  /** Names it in the methods here. */
  id: number;
  /** Why: a code of the hub, such as `record_too_large`, and a sentence. */
  code: string;
  message: string;
  /** What it would have done. */
  changes: Change[];
  /** When this device was told, in milliseconds since 1970. */
  at: number;
}

export class RejectedWrites {
  readonly #home: Home;
  readonly #now: () => number;

  constructor(home: Home, now: () => number) {
    this.#home = home;
    this.#now = now;
  }

  /** All of them, the oldest first. */
  async list(): Promise<Rejected[]> {
    return listOf((await this.#home.session()).db);
  }

  live(): Live<Rejected[]> {
    return {
      subscribe: (next, error = () => {}) => {
        let running: { unsubscribe(): void } | undefined;
        const end = this.#home.eachSession(({ db }) => {
          running?.unsubscribe();
          running = liveQuery(() => listOf(db)).subscribe({ next, error });
        });
        return () => {
          end();
          running?.unsubscribe();
        };
      },
    };
  }

  /** Makes it again, now. */
  retry(id: number): Promise<void> {
    return this.edit(id, (changes) => changes);
  }

  /** Makes it again as `change` alters it. */
  async edit(id: number, change: (changes: Change[]) => Change[]): Promise<void> {
    const session = await this.#home.session();
    const { db } = session;
    const row = await db.rejected.get(id);
    if (!row) throw missing(id);
    const altered = change(structuredClone(row.c));
    await db.everything(async () => {
      if (!(await db.rejected.get(id))) throw missing(id);
      const clock = stamp(await db.read("clock"), this.#now());
      await db.keep("clock", clock);
      await db.rejected.delete(id);
      await take(db, [altered.map((one) => restamped(one, format(clock.hlc)))]);
    });
    session.wrote();
  }

  /** Gives it up. */
  async discard(id: number): Promise<void> {
    const { db } = await this.#home.session();
    await db.rejected.delete(id);
  }

  /** All of them as JSON text, to be kept elsewhere. */
  async export(): Promise<string> {
    return JSON.stringify(await this.list());
  }
}

async function listOf(db: Database): Promise<Rejected[]> {
  return (await db.rejected.orderBy("n").toArray()).map(toRejected);
}

function toRejected({ n, c, code, message, at }: RejectedRow): Rejected {
  return { id: n, code, message, changes: c, at };
}

function missing(id: number): SynclineError {
  return new SynclineError("record_missing", `no rejected write ${id}`);
}
