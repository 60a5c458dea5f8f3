/**
 * Own mutations of one database, made again in another: a guest's in an account, those of a database
 * that could not be read for a while in the one that took its place. Each moves once, however often
 * a move is broken off and repeated. No transaction spans two databases.
 */
import { isLater } from "../core/hlc.js";
import type { Change } from "../core/wire.js";
import { recordKey, type Database, type Moved, type OutboxRow, type Stayed } from "./database.js";
import { bumpSendingVersion } from "./clock.js";
import { take } from "./outbox.js";
import { latestStamp, observeStamp } from "./seen.js";
import { settle } from "./verdicts.js";

/** Runs of mutations that are remembered as moved. */
const MOVED_MAX = 500;

/** No mutation has this number: what is said to be one that left long ago stands. */
export const LONG_THERE = 0;

/** A mutation in the outbox. */
export interface Own {
  n: number;
  c: Change[];
}

/** What is to move. */
export interface Choice {
  /** What is left of each mutation, if anything is; with `null`, what comes late of one before. */
  rows: { n: number | null; c: Change[] }[];
  stayed: Omit<Stayed, "id">;
}

/** Chooses of all mutations what is to move, where those up to `after` have and some records have not. */
type Choose = (made: Own[], after: number, stayed: readonly string[]) => Choice;

/**
 * Moves the mutations of `from`, called `id`, that are not at the hub and have not moved yet, before
 * what waits in `to` and is later; with `choose` what that says of them. Returns the `n` of the last one.
 */
export async function moveUnsent(
  from: Database,
  to: Database,
  id: string,
  choose?: Choose,
): Promise<number> {
  const after = await movedUpTo(to, id);
  const stayed = await to.read("stayed");
  // Read before: a transaction cannot wait for another database.
  const first = choose ? -Infinity : after;
  const all = await from.transaction("r", from.outbox, from.sent, from.rejected, async () => {
    const decided = new Set(await from.sent.where("seq").aboveOrEqual(0).primaryKeys());
    const made = [from.outbox, from.rejected].map((rows) => rows.where("n").above(first).toArray());
    return (await Promise.all(made))
      .flatMap((some) => some.map(({ n, c }) => ({ n: n as number, c })))
      .filter(({ n }) => !decided.has(n))
      .sort((a, b) => a.n - b.n);
  });
  const last = Math.max(all.at(-1)?.n ?? after, after);
  const choice = choose?.(all, after, stayed.id === id ? stayed.keys : []);
  const rows = choice?.rows ?? all;
  return to.everything(async () => {
    const now = await movedUpTo(to, id);
    // Another tab was faster.
    if (now !== after) return now;
    const mutations = rows.map((row) => row.c).filter((changes) => changes.length > 0);
    const later = await laterOnes(to, mutations.flat());
    const ns = await take(to, mutations);
    const behind = await take(
      to,
      later.map((row) => row.c),
    );
    const moved = later.map(({ n }, at) => ({ n, status: "moved", to: behind[at] }) as const);
    await settle(to, moved);
    // What is edited from now on comes after what is moved, also if a clock is set back.
    await observeStamp(to, latestStamp(mutations.flat()));
    if (choice) await to.keep("stayed", { id, ...choice.stayed });
    await noteMoved(to, id, last, runsOf(rows, ns));
    return last;
  });
}

/**
 * Takes out what was never sent, from the first on that is later than a change to the same record: what
 * comes after may stand on it. Of what was sent the hub decides, by the same stamps.
 */
async function laterOnes(db: Database, changes: Change[]): Promise<Required<OutboxRow>[]> {
  const latest = new Map<string, string>();
  for (const change of changes) {
    const key = recordKey(change.table, change.id);
    const [at, than] = [latestStamp([change]), latest.get(key) ?? ""];
    latest.set(key, isLater(at, than) ? at : than);
  }
  const isLaterOne = (change: Change) => {
    const than = latest.get(recordKey(change.table, change.id));
    return than !== undefined && isLater(latestStamp([change]), than);
  };
  const sent = new Set(await db.sent.toCollection().primaryKeys());
  const touching = db.outbox
    .where("k")
    .anyOf([...latest.keys()])
    .distinct();
  const first = ((await touching.sortBy("n")) as Required<OutboxRow>[]).find(
    ({ n, c }) => !sent.has(n) && c.some(isLaterOne),
  );
  if (!first) return [];
  const rest = await db.outbox.where("n").aboveOrEqual(first.n).sortBy("n");
  const found = (rest as Required<OutboxRow>[]).filter(({ n }) => !sent.has(n));
  await db.outbox.bulkDelete(found.map(({ n }) => n));
  // Somebody may be about to send one of them.
  await bumpSendingVersion(db);
  return found;
}

/** Those that follow each other there and here. What is nothing any more stands as it is. */
function runsOf(rows: Choice["rows"], ns: number[]): Omit<Moved, "id">[] {
  const runs: Omit<Moved, "id">[] = [];
  let taken = 0;
  for (const { n, c } of rows) {
    const each = c.length > 0;
    const to = each ? (ns[taken++] as number) : LONG_THERE;
    if (n === null) continue;
    const run = runs.at(-1);
    const isNext = run && n === run.last + 1 && each === run.each;
    if (isNext && to === (each ? run.to + n - run.first : LONG_THERE)) run.last = n;
    else runs.push({ first: n, last: n, to, each });
  }
  return runs;
}

/** Up to which `n` mutations have moved in; -Infinity if none has. */
export async function movedUpTo(to: Database, id: string): Promise<number> {
  const moved = (await to.read("done")).find((one) => one.startsWith(`guest ${id} `));
  return Number(moved?.split(" ")[2] ?? -Infinity);
}

export async function noteMoved(
  to: Database,
  id: string,
  last: number,
  runs: Omit<Moved, "id">[],
): Promise<void> {
  const others = (await to.read("done")).filter((one) => !one.startsWith(`guest ${id} `));
  const moved = [...(await to.read("moved")), ...runs.map((run) => ({ ...run, id }))];
  await to.keep("done", [...others, `guest ${id} ${last}`]);
  await to.keep("moved", moved.slice(-MOVED_MAX));
}

/** The `n` that mutation `n` of the other database has in `to`; `undefined` if it is not there. */
export async function movedAs(to: Database, id: string, n: number): Promise<number | undefined> {
  const isIn = (run: Moved) => run.id === id && run.first <= n && n <= run.last;
  const run = (await to.read("moved")).find(isIn);
  return run && (run.each ? run.to + n - run.first : run.to);
}
