/** Own mutations as they are made: each is written in one transaction with the records it shows. */
import { stamp } from "../core/clock";
import { SynclineError } from "../core/errors";
import { format, parse } from "../core/hlc";
import type { Json, JsonObject } from "../core/json";
import { fits, weigh } from "../core/outbox";
import { lay } from "../core/overlay";
import type { Change } from "../core/wire";
import { recordKey, type Database, type OutboxRow, type OwnRow } from "./database";
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
 * `record_exists`, `mutation_too_large`, `signed_out`.
 */
export function write(
  db: Database,
  edits: Edit[],
  now: number,
  check: (edit: Edit, after: JsonObject | null) => void = () => {},
): Promise<number> {
  const collections = [...new Set(edits.map((edit) => edit.table))];
  // Few steps, each of what can be asked at once: a caller waits for them.
  return db.showing("rw", collections, [db.outbox], async (shown, here) => {
    const [kept, { limits }, records] = await Promise.all([
      db.read("clock"),
      here,
      shownNow(db, shown, edits),
    ]);
    const clock = stamp(kept, now);
    const at = format(clock.hlc);
    const changes = edits.map((edit) => toChange(edit, at));
    if (!fits(weigh(changes), limits))
      throw new SynclineError("mutation_too_large", "the write is more than the hub takes at once");
    for (const [index, change] of changes.entries()) {
      const record = records.get(recordKey(change.table, change.id)) as OwnRow;
      checkThere(change, record.d);
      record.d = lay(record.d, change);
      check(edits[index] as Edit, record.d);
    }
    const [n] = await Promise.all([
      db.outbox.add(outboxRow(changes, clock.hlc.wall)),
      Promise.all([...records.values()].map((row) => db.own.put(row))),
      db.keep("clock", clock),
    ]);
    return n;
  });
}

/**
 * Takes mutations that have their stamps already, without looking at what is there. `n` is the
 * place of the first among the others; without one they are the last. Over everything.
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

/** Mutations without a verdict. */
export async function undecided(db: Database): Promise<number> {
  const [all, decided] = await Promise.all([
    db.outbox.count(),
    db.sent.where("seq").aboveOrEqual(0).count(),
  ]);
  return all - decided;
}

function outboxRow(changes: Change[], wall: number): OutboxRow {
  const keys = new Set(changes.map((change) => recordKey(change.table, change.id)));
  return { c: changes, k: [...keys], w: wall };
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
