/** What became of own mutations, for those who wait. One that left without a word was applied. */
import type { Client, Database, RejectedRow, SettledRow, Went } from "./database.js";
import { SETTLED_MAX } from "./database.js";
import { isPart, wholeOf } from "./parts.js";

/** A mutation, as who made it remembers it. */
export interface Made {
  /** Its `n`. */
  n: number;
  /** The stay in which it was made; empty if that had not begun. */
  stay: string;
}

export type Verdict =
  | SettledRow
  | (RejectedRow & { status: "rejected" })
  /** It is long gone, and nobody remembers how. */
  | { n: number; status: "forgotten" }
  /** It was moved into another database, by another tab. */
  | { n: number; status: "away"; went: Went };

/** What a look at the outbox tells. */
export interface Looked {
  /** Of the mutations that were asked for and have one, by their `n`. */
  verdicts: Map<number, Verdict>;
  /** The stay there is; what was made in another one was given up with it. Empty while there is none. */
  stay: string;
  /** Mutations without a verdict, and the `n` of the last one in the outbox. */
  pending: number;
  last: number;
}

/**
 * What became of these mutations. Those that have a verdict are asked for one by one, all others
 * together: however many wait, a look costs what has changed.
 */
export function look(db: Database, ns: number[]): Promise<Looked> {
  const { outbox, sent, settled, rejected, local, meta } = db;
  return db.transaction("r", [outbox, sent, settled, rejected, local, meta], async () => {
    const [{ stay }, client, decided, count, [last = -Infinity], there] = await Promise.all([
      db.read("here"),
      db.read("client"),
      sent.where("seq").aboveOrEqual(0).primaryKeys(),
      outbox.count(),
      outbox.orderBy("n").reverse().limit(1).primaryKeys(),
      ns.length > 0 ? outbox.where("n").between(least(ns), most(ns), true, true).primaryKeys() : [],
    ]);
    const [waits, isDecided] = [new Set(there), new Set(decided)];
    // One that was evicted and has not begun anew says nothing of what was in it.
    const isBegun = stay !== "" || db.stay === "";
    const judged = isBegun ? ns.filter((n) => isDecided.has(n) || !waits.has(n)) : [];
    const [told, refused, parts] = await Promise.all([
      settled.bulkGet(judged),
      rejected.bulkGet(judged),
      judged.length > 0 ? refusedParts(db) : new Map<number, RejectedRow>(),
    ]);
    const verdicts = judged.map((n, at): [number, Verdict] => {
      const part = parts.get(n);
      if (part) return [n, { ...part, status: "rejected" }];
      const [row, set] = [told[at], refused[at]];
      if (row) return [n, row];
      if (set) return [n, { ...set, status: "rejected" }];
      return [n, waits.has(n) ? { n, status: "applied" } : gone(n, client)];
    });
    return { verdicts: new Map(verdicts), stay, pending: count - decided.length, last };
  });
}

/** The first part that was refused, by the `n` of the mutation that it was of. */
async function refusedParts({ rejected }: Database): Promise<Map<number, RejectedRow>> {
  const parts = ((await rejected.orderBy("n").primaryKeys()) as number[]).filter(isPart);
  const rows = await rejected.bulkGet(parts);
  return new Map(rows.reverse().flatMap((row) => (row ? [[wholeOf(row.n), row]] : [])));
}

/** One that is not here any more: it was judged, or left with all others into an account or for good. */
function gone(n: number, { ended = -Infinity, went = [], forgotten = -Infinity }: Client): Verdict {
  if (n <= forgotten) return { n, status: "forgotten" };
  if (n > ended) return { n, status: "applied" };
  const into = went.find(({ after, upTo }) => after < n && n <= upTo);
  return into ? { n, status: "away", went: into } : { n, status: "discarded" };
}

/** What a database that is left for another one tells of mutations that did not move: see `remains`. */
export interface Remains {
  client: Client;
  /** Mutations without a verdict, or refused. */
  waits: ReadonlySet<number>;
  settled: ReadonlyMap<number, SettledRow>;
}

/** What became of a mutation that did not move. */
export function remained(n: number, { client, waits, settled }: Remains): Verdict {
  return settled.get(n) ?? (waits.has(n) ? { n, status: "discarded" } : gone(n, client));
}

// Of more numbers than a call takes as arguments.
const least = (ns: number[]) => ns.reduce((a, b) => Math.min(a, b), Infinity);
const most = (ns: number[]) => ns.reduce((a, b) => Math.max(a, b), -Infinity);

/**
 * Remembers what became of mutations that were not just applied; of many only the last. Over `settled`
 * and `meta`.
 */
export async function settle(db: Database, settled: SettledRow[]): Promise<void> {
  if (settled.length === 0) return;
  const [count] = await Promise.all([db.settled.count(), db.settled.bulkPut(settled)]);
  const more = count + settled.length - SETTLED_MAX;
  if (more <= 0) return;
  const oldest = await db.settled.orderBy("n").limit(more).primaryKeys();
  await db.settled.bulkDelete(oldest);
  const client = await db.read("client");
  const forgotten = Math.max(client.forgotten ?? -Infinity, ...oldest.slice(-1));
  await db.keep("client", { ...client, forgotten });
}
