/** Own mutations as they are made: each is written in one transaction with the records it shows. */
import { SynclineError } from "../core/errors.js";
import type { Json, JsonObject } from "../core/json.js";
import { fits, weigh } from "../core/weight.js";
import { lay } from "../core/overlay.js";
import type { Change } from "../core/wire.js";
import { recordKey, type Database, type OutboxRow, type OwnRow } from "./database.js";
import { reshow, shownNow } from "./shown.js";
import { stampEach, stampsOf, wallOf } from "./stamps.js";
import type { Made } from "./verdicts.js";

/** What a caller wants done to one record. It gets its stamp when it is written. */
export type Edit = { table: string; id: string } & (
  | { op: "insert"; data: JsonObject }
  | { op: "update"; fields: Record<string, Json> }
  | { op: "delete" }
);

/**
 * Writes a mutation: the outbox's row and the records as they are shown with it. A delete of what is
 * not here is one of its own, before it: the hub may not know the record, and would refuse the rest too.
 * `check` is shown each record before and after and may throw. Errors: `record_missing`,
 * `record_exists`, `mutation_too_large`, `signed_out`.
 */
export function write(
  db: Database,
  edits: Edit[],
  now: number,
  check: (edit: Edit, after: JsonObject | null) => void = () => {},
): Promise<Made> {
  const collections = [...new Set(edits.map((edit) => edit.table))];
  // Few steps, each of what can be asked at once: a caller waits for them.
  return db.showing("rw", collections, [db.outbox], async (shown, here) => {
    const [kept, { limits, stay }, records] = await Promise.all([
      db.read("clock"),
      here,
      shownNow(db, shown, edits),
    ]);
    const { clock, changes } = stampEach(kept, now, edits, toChange);
    if (!fits(weigh(changes), limits))
      throw new SynclineError("mutation_too_large", "the write is more than the hub takes at once");
    const mutations: Change[][] = [];
    const together: Change[] = [];
    for (const [index, change] of changes.entries()) {
      const record = records.get(recordKey(change.table, change.id)) as OwnRow;
      checkThere(change, record.d);
      if (change.op === "delete" && !record.d) mutations.push([change]);
      else together.push(change);
      record.d = lay(record.d, change);
      check(edits[index] as Edit, record.d);
    }
    if (together.length > 0) mutations.push(together);
    const [ns] = await Promise.all([
      Promise.all(mutations.map((made) => db.outbox.add(outboxRow(made, clock.hlc.wall)))),
      Promise.all([...records.values()].map((row) => db.own.put(row))),
      db.keep("clock", clock),
    ]);
    return { n: ns.at(-1) as number, stay };
  });
}

/**
 * Takes mutations that have their stamps already, without looking at what is there. `n` is the
 * place of the first among the others; without one they are the last. Returns the places of all. Over
 * everything.
 */
export async function take(db: Database, mutations: Change[][], n?: number): Promise<number[]> {
  const rows = mutations.map((changes, at): OutboxRow => {
    let latest = 0;
    for (const text of changes.flatMap(stampsOf)) latest = Math.max(latest, wallOf(text));
    const row = outboxRow(changes, latest);
    return n === undefined ? row : { ...row, n: n + at };
  });
  const ns = await db.outbox.bulkAdd(rows, { allKeys: true });
  await reshow(db, mutations.flat());
  return ns;
}

/** The last mutation that waits or was refused. */
export async function lastMade(db: Database): Promise<number> {
  const last = await Promise.all([db.outbox.orderBy("n").last(), db.rejected.orderBy("n").last()]);
  return Math.max(...last.map((row) => row?.n ?? -Infinity));
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

/** The change that an edit makes at `at`. */
export function toChange(edit: Edit, at: string): Change {
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
