/**
 * Own mutations as they are made: each is written in one transaction with the records it shows.
 * All functions run inside a transaction over everything.
 */
import { stamp } from "../core/clock";
import { SynclineError } from "../core/errors";
import { format, parse } from "../core/hlc";
import type { Json, JsonObject } from "../core/json";
import { fits, weigh } from "../core/outbox";
import { lay } from "../core/overlay";
import type { Change } from "../core/wire";
import { isUndecided, recordKey, type Database, type OutboxRow, type OwnRow } from "./database";
import { renumber } from "./sending";
import { reshow, shownNow } from "./shown";
import { stampsOf } from "./stamps";

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
