/**
 * Own mutations in the database: taken with what they show, numbered, decided, given up. All
 * functions run inside a transaction over everything.
 */
import { correct, observe, stamp } from "../core/clock";
import { SynclineError } from "../core/errors";
import { format, parse, type Hlc } from "../core/hlc";
import type { Json, JsonObject } from "../core/json";
import { fits, IN_FLIGHT_MAX, outcome, pushLength, weigh } from "../core/outbox";
import { lay, overlay } from "../core/overlay";
import { shownGen } from "../core/replica";
import type { Change, Mutation, Result } from "../core/wire";
import { newClient, recordKey, SETTLED_MAX, type Client } from "./database";
import type { Database, OutboxRow, OwnRow, SettledRow } from "./database";

/** Which record. */
interface RecordName {
  table: string;
  id: string;
}

/** What a caller wants done to one record. It gets its stamp when it is written. */
export type Edit = { table: string; id: string } & (
  | { op: "insert"; data: JsonObject }
  | { op: "update"; fields: Record<string, Json> }
  | { op: "delete" }
);

/**
 * Writes a mutation: the outbox's row and the records as they are shown with it. Returns its `n`.
 * `check` is shown each record before and after and may throw. Errors: `record_missing`,
 * `record_exists`, `mutation_too_large`.
 */
export async function write(
  db: Database,
  edits: Edit[],
  now: number,
  check: (edit: Edit, after: JsonObject | null) => void = () => {},
): Promise<number> {
  // Few steps, each of what can be asked at once: a caller waits for them.
  const [kept, limits, shown] = await Promise.all([
    db.read("clock"),
    db.read("limits"),
    shownNow(db, edits),
  ]);
  const clock = stamp(kept, now);
  const at = format(clock.hlc);
  const changes = edits.map((edit) => toChange(edit, at));
  if (!fits(weigh(changes), limits))
    throw new SynclineError("mutation_too_large", "the write is more than the hub takes at once");
  for (const [index, change] of changes.entries()) {
    const record = shown.get(recordKey(change.table, change.id)) as OwnRow;
    checkThere(change, record.d);
    record.d = lay(record.d, change);
    check(edits[index] as Edit, record.d);
  }
  const [n] = await Promise.all([
    db.outbox.add(outboxRow(changes, clock.hlc.wall)),
    db.own.bulkPut([...shown.values()]),
    db.keep("clock", clock),
  ]);
  return n;
}

/**
 * Takes mutations that have their stamps already, without looking at what is there. `n` is the
 * place of the first among the others; without one they are the last.
 */
export async function take(db: Database, mutations: Change[][], n?: number): Promise<void> {
  const rows = mutations.map((changes, at): OutboxRow => {
    let latest = 0;
    for (const text of changes.flatMap(stampsOf)) latest = Math.max(latest, parse(text)?.wall ?? 0);
    const row = outboxRow(changes, latest);
    return n === undefined ? row : { ...row, n: n + at };
  });
  await db.outbox.bulkAdd(rows);
  await reshow(db, mutations.flat());
}

/**
 * Takes mutations as if they had been made before everything that waits, which may stand on them.
 * True if that has another client id now: what waited may have been sent with its number.
 */
export async function takeFirst(db: Database, mutations: Change[][]): Promise<boolean> {
  if (mutations.length === 0) return false;
  const first = await Promise.all([
    db.outbox.orderBy("n").first(),
    db.rejected.orderBy("n").first(),
  ]);
  await take(db, mutations, Math.min(1, ...first.map((row) => row?.n ?? 1)) - mutations.length);
  if ((await db.outbox.where("m").above(0).filter(isUndecided).count()) === 0) return false;
  await renumber(db);
  return true;
}

function outboxRow(changes: Change[], wall: number): OutboxRow {
  const keys = new Set(changes.map((change) => recordKey(change.table, change.id)));
  return { c: changes, k: [...keys], w: wall, p: 1 };
}

function toChange(edit: Edit, at: string): Change {
  const { table, id } = edit;
  if (edit.op === "insert") return { table, id, op: "insert", insertedAt: at, data: edit.data };
  if (edit.op === "delete") return { table, id, op: "delete", deletedAt: at };
  const fields = Object.entries(edit.fields).map(([name, value]) => [
    name,
    { value, updatedAt: at },
  ]);
  return { table, id, op: "update", fields: Object.fromEntries(fields) };
}

function checkThere(change: Change, shown: JsonObject | null): void {
  const { table, id, op } = change;
  if (op === "update" && !shown)
    throw new SynclineError("record_missing", `${table} has no record ${id}`);
  if (op === "insert" && shown)
    throw new SynclineError("record_exists", `${table} has a record ${id} already`);
}

/** The records as they are shown now, in the form they are kept in when own mutations touch them. */
async function shownNow(db: Database, named: RecordName[]): Promise<Map<string, OwnRow>> {
  const { names, keys } = distinct(named);
  const [own, told] = await Promise.all([
    db.own.bulkGet(names.map(({ table, id }) => [table, id])),
    toldOf(db, names),
  ]);
  return new Map(
    names.map(({ table, id }, at) => {
      const row = told[at];
      const kept = own[at] ?? { t: table, id, d: row?.d ?? null, s: row ? 1 : 0 };
      return [keys[at] as string, kept];
    }),
  );
}

/** Works out anew what is shown of the records that these changes touch. */
export async function reshow(db: Database, touched: RecordName[]): Promise<void> {
  const { names, keys } = distinct(touched);
  if (names.length === 0) return;
  const pending = await touching(db, keys);
  const lists = new Map<string, Change[]>(keys.map((key) => [key, []]));
  for (const change of pending.flatMap((row) => row.c))
    lists.get(recordKey(change.table, change.id))?.push(change);
  const told = await toldOf(db, names);
  const own: OwnRow[] = [];
  const alone: [string, string][] = [];
  for (const [at, { table, id }] of names.entries()) {
    const changes = lists.get(keys[at] as string) as Change[];
    const row = told[at];
    if (changes.length === 0) alone.push([table, id]);
    else {
      const d = overlay(table, id, row?.d ?? null, [changes]);
      own.push({ t: table, id, d, s: row ? 1 : 0 });
    }
  }
  await db.own.bulkPut(own);
  await db.own.bulkDelete(alone);
}

/** The mutations that touch any of these records, in order. */
async function touching(db: Database, keys: string[]): Promise<OutboxRow[]> {
  // Of many records it is less work to read the whole outbox than to look each of them up.
  if ((await db.outbox.count()) <= keys.length) return db.outbox.orderBy("n").toArray();
  // By key first: a row is read once, however many of the records it touches.
  const found = new Set(await db.outbox.where("k").anyOf(keys).primaryKeys());
  const rows = await db.outbox.bulkGet([...found].sort((a, b) => a - b));
  return rows.flatMap((row) => row ?? []);
}

function distinct(named: RecordName[]): { names: RecordName[]; keys: string[] } {
  const names = new Map(named.map((one) => [recordKey(one.table, one.id), one]));
  return { names: [...names.values()], keys: [...names.keys()] };
}

/** The server's rows of these records, as they are shown. */
async function toldOf(db: Database, names: RecordName[]) {
  const replica = await db.read("replica");
  return db.rows.bulkGet(
    names.map(({ table, id }) => [shownGen(replica, table), table, id] as [number, string, string]),
  );
}

/** All records with own mutations over them: after the server's rows have been exchanged. */
export async function reshowAll(db: Database): Promise<void> {
  const own = await db.own.toArray();
  await reshow(
    db,
    own.map(({ t, id }) => ({ table: t, id })),
  );
}

/**
 * The next push: mutations after number `after`, in order. New ones get their numbers here, for
 * good. What this hub can never take is set aside for the user. None while something is to be
 * offered back. `more`: another push may follow.
 */
export async function nextPush(
  db: Database,
  after: number,
  now: number,
): Promise<{ muts: Mutation[]; more: boolean }> {
  if ((await db.read("replica")).offers) return { muts: [], more: false };
  const limits = await db.read("limits");
  const client = await db.read("client");
  let inFlight = await db.outbox.where("m").above(0).filter(isUndecided).count();
  const isNew = (row: OutboxRow) => row.m === undefined;
  const fresh = await db.outbox.where("p").equals(1).filter(isNew).limit(IN_FLIGHT_MAX).toArray();
  for (const row of fresh.sort(byOrder)) {
    if (inFlight >= IN_FLIGHT_MAX) break;
    if (!fits(weigh(row.c), limits)) {
      await rejectTooLarge(db, row, now);
      continue;
    }
    await db.outbox.update(row.n as number, { m: ++client.last });
    inFlight++;
  }
  await db.keep("client", client);
  const waiting = await db.outbox
    .where("m")
    .above(after)
    .filter(isUndecided)
    .limit(IN_FLIGHT_MAX)
    .sortBy("m");
  // A limit may have been lowered since a mutation got its number, which must be used all the same.
  const sent = waiting.map((row): Mutation => {
    const changes = fits(weigh(row.c), limits) ? row.c : null;
    return { m: row.m as number, changes };
  });
  const weights = sent.map(({ changes }) => weigh(changes ?? []));
  const muts = sent.slice(0, pushLength(weights, limits));
  return { muts, more: muts.length < sent.length };
}

function isUndecided(row: OutboxRow): boolean {
  return row.p === 1;
}

function byOrder(a: OutboxRow, b: OutboxRow): number {
  return (a.n as number) - (b.n as number);
}

/** Takes verdicts. True if this client's numbers are of no use any more. */
export async function decide(db: Database, results: Result[], now: number): Promise<boolean> {
  const client = await db.read("client");
  const limits = await db.read("limits");
  for (const result of results) client.head = Math.max(client.head, result.seq ?? 0);
  for (const result of results) {
    const row = await db.outbox.where("m").equals(result.m).first();
    if (row?.p !== 1) continue;
    const becomes = outcome(result, client.head);
    if (becomes.is === "renumber") return true;
    client.confirmed = Math.max(client.confirmed, result.m);
    if (becomes.is === "rejected") {
      if (fits(weigh(row.c), limits)) await reject(db, row, becomes.code, becomes.message, now);
      else await rejectTooLarge(db, row, now);
      continue;
    }
    await db.outbox.put({ ...withoutVerdictDue(row), seq: becomes.seq });
    await settle(db, { n: row.n as number, status: becomes.status });
  }
  await db.keep("client", client);
  await passed(db);
  return false;
}

function withoutVerdictDue(row: OutboxRow): OutboxRow {
  const { p: _, ...rest } = row;
  return rest;
}

/** What the copy shows by itself leaves the outbox. */
export async function passed(db: Database): Promise<void> {
  const { cursor, complete } = await db.read("replica");
  if (!cursor || !complete) return;
  const rows = await db.outbox.where("seq").belowOrEqual(cursor.seq).toArray();
  if (rows.length === 0) return;
  await db.outbox.bulkDelete(rows.map((row) => row.n as number));
  await reshow(
    db,
    rows.flatMap((row) => row.c),
  );
}

async function reject(db: Database, row: OutboxRow, code: string, message: string, now: number) {
  const n = row.n as number;
  await db.rejected.put({ n, c: row.c, code, message, at: now });
  await db.outbox.delete(n);
  await reshow(db, row.c);
}

function rejectTooLarge(db: Database, row: OutboxRow, now: number): Promise<void> {
  return reject(db, row, "mutation_too_large", "more than this hub takes at once", now);
}

export async function settle(db: Database, settled: SettledRow): Promise<void> {
  await db.settled.put(settled);
  if ((await db.settled.count()) > SETTLED_MAX) {
    const oldest = await db.settled.orderBy("n").first();
    if (oldest) await db.settled.delete(oldest.n);
  }
}

/**
 * The history in which mutations were decided is not the hub's any more: those the copy does not
 * show by itself are made again.
 */
export async function historyLost(db: Database): Promise<void> {
  for (const row of await db.outbox.where("seq").aboveOrEqual(0).toArray()) {
    const { seq: _, m: __, ...again } = row;
    await db.outbox.put({ ...again, p: 1 });
  }
  await db.keep("client", { ...(await db.read("client")), head: 0 });
}

/** Takes another client id. Everything without effect is numbered from 1 under it. */
export async function renumber(db: Database): Promise<Client> {
  await historyLost(db);
  for (const row of await db.outbox.where("m").above(0).toArray()) {
    const { m: _, ...again } = row;
    await db.outbox.put(again);
  }
  const client = newClient();
  await db.keep("client", client);
  return client;
}

/** The hub told its time with an answer to what was asked at `asked`. See `core/clock`. */
export async function hubTime(
  db: Database,
  told: string,
  asked: number,
  came: number,
): Promise<void> {
  const hub = parse(told);
  if (!hub) return;
  const sent = await db.outbox.where("m").above(0).filter(isUndecided).toArray();
  const latestSent = Math.max(0, ...sent.map((row) => row.w));
  let { clock, restamp } = correct(
    await db.read("clock"),
    { hub: hub.wall, asked, came },
    latestSent,
  );
  if (restamp) {
    const isUnsent = (row: OutboxRow) => row.m === undefined;
    for (const row of (await db.outbox.filter(isUnsent).toArray()).sort(byOrder)) {
      clock = stamp(clock, came);
      const at = format(clock.hlc);
      await db.outbox.put({ ...row, c: row.c.map((one) => restamped(one, at)), w: clock.hlc.wall });
    }
  }
  await db.keep("clock", clock);
}

/** A change as it would be if it were made at `at`. */
export function restamped(change: Change, at: string): Change {
  if (change.op === "insert") return { ...change, insertedAt: at };
  if (change.op === "delete") return { ...change, deletedAt: at };
  const fields = Object.entries(change.fields).map(([name, write]) => [
    name,
    { ...write, updatedAt: at },
  ]);
  return { ...change, fields: Object.fromEntries(fields) };
}

/** What other devices wrote was seen. */
export async function seen(db: Database, latestAt: string): Promise<void> {
  const at: Hlc | null = latestAt ? parse(latestAt) : null;
  if (at) await db.keep("clock", observe(await db.read("clock"), at));
}

function stampsOf(change: Change): string[] {
  if (change.op === "insert") return [change.insertedAt];
  if (change.op === "delete") return [change.deletedAt];
  return Object.values(change.fields).map((write) => write.updatedAt);
}

/** The keys between which all that begin with `prefix` lie: a list is after every number and text. */
export function idRange(prefix: (number | string)[]): [unknown[], unknown[]] {
  return [prefix, [...prefix, []]];
}
