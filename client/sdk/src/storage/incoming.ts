/** What the hub told, into the database: one transaction for a message and the cursor it moves. */
import { canonical } from "../core/json";
import { shownGen, target, type Replica, type Step } from "../core/replica";
import { isLater, type Change, type Entry } from "../core/wire";
import { recordKey, type Database, type Row, type StagedRow } from "./database";
import { takeFirst } from "./outbox";
import { historyLost, passed } from "./sending";
import { reshow, reshowAll } from "./shown";
import { seen } from "./stamps";

/** Changes of one mutation that offers something back. */
const OFFERED_MAX = 200;

/**
 * Writes what a step asks for. Inside a transaction over everything. True if this device is another
 * client from now on.
 */
export async function carryOut(db: Database, before: Replica, step: Step): Promise<boolean> {
  if (step.erases) await erase(db);
  if (step.losesHistory) await historyLost(db);
  await putRows(db, step);
  if (!step.completes) await db.staged.bulkAdd(step.stage.map(toRow));
  await db.keep("replica", step.replica);
  let latest = "";
  for (const { at } of [...step.rows, ...step.stage]) if (isLater(at, latest)) latest = at;
  await seen(db, latest);
  const isAnother = step.completes && (await show(db, before, step));
  for (const gen of step.drop) await dropGeneration(db, gen);
  return isAnother;
}

function toRow({ table, id, data, at }: Entry): StagedRow {
  return { t: table, id, d: data, at };
}

/** Everything goes but what the device is to the hub. */
async function erase(db: Database): Promise<void> {
  for (const table of [db.rows, db.staged, db.own, db.outbox, db.rejected, db.settled])
    await table.clear();
}

async function putRows(db: Database, step: Step): Promise<void> {
  // The generation is that of the fill, which has just ended if the step completes the copy.
  const rows = step.rows.map((entry): [Entry, number] => [
    entry,
    target(step.replica, entry.table) ?? shownGen(step.replica, entry.table),
  ]);
  const there = rows.flatMap(([{ table, id, data, at }, g]): Row[] =>
    data ? [{ g, t: table, id, d: data, at }] : [],
  );
  const gone = rows.flatMap(([{ table, id, data }, g]): [number, string, string][] =>
    data ? [] : [[g, table, id]],
  );
  if (there.length > 0) await db.rows.bulkPut(await withKnownStamps(db, there));
  if (gone.length > 0) await db.rows.bulkDelete(gone);
}

/** A record told without a stamp is at least as new as it was. */
async function withKnownStamps(db: Database, rows: Row[]): Promise<Row[]> {
  const without = rows.filter((row) => row.at === "");
  if (without.length === 0) return rows;
  const known = await db.rows.bulkGet(without.map(({ g, t, id }) => [g, t, id]));
  const stamps = new Map(without.map((row, at) => [row, known[at]?.at ?? ""]));
  return rows.map((row) => ({ ...row, at: stamps.get(row) ?? row.at }));
}

/** The copy is complete: what was kept aside takes effect, own mutations it holds are let go. */
async function show(db: Database, before: Replica, step: Step): Promise<boolean> {
  const now = step.replica;
  const replaced = before.fill !== null && before.fill.tables === null;
  const aside = before.staged && !replaced ? await db.staged.orderBy("n").toArray() : [];
  if (before.staged || replaced) await db.staged.clear();
  // Of a record that was told twice the last counts.
  const last = new Map(
    [...aside, ...step.stage.map(toRow)].map((row) => [recordKey(row.t, row.id), row]),
  );
  const told = [...last.values()];
  const there = told.flatMap(({ t, id, d, at }): Row[] =>
    d ? [{ g: shownGen(now, t), t, id, d, at }] : [],
  );
  const gone = told.flatMap(({ t, id, d }): [number, string, string][] =>
    d ? [] : [[shownGen(now, t), t, id]],
  );
  if (there.length > 0) await db.rows.bulkPut(await withKnownStamps(db, there));
  if (gone.length > 0) await db.rows.bulkDelete(gone);
  const isAnother = before.offers && replaced && (await offerBack(db, before, now));
  if (before.fill) await reshowAll(db);
  else await reshow(db, await touchedByOwn(db, told));
  await passed(db);
  return isAnother;
}

async function touchedByOwn(db: Database, told: StagedRow[]) {
  if (told.length === 0 || (await db.own.count()) === 0) return [];
  const own = await db.own.bulkGet(told.map(({ t, id }) => [t, id]));
  return own.flatMap((row) => (row ? [{ table: row.t, id: row.id }] : []));
}

/**
 * After another history was taken over: what was shown before and differs is written again with
 * the newest stamp known of it, so that it wins only where the hub has lost it. See `takeFirst`.
 */
async function offerBack(db: Database, before: Replica, now: Replica): Promise<boolean> {
  const held = db.rows.where("[g+t+id]").below([now.base]);
  const offered: Change[] = [];
  for (const row of await held.toArray()) {
    if (row.g !== shownGen(before, row.t) || row.at === "") continue;
    const told = await db.rows.get([now.base, row.t, row.id]);
    if (told && canonical(told.d) === canonical(row.d)) continue;
    offered.push({ table: row.t, id: row.id, op: "insert", insertedAt: row.at, data: row.d });
  }
  const mutations: Change[][] = [];
  while (offered.length > 0) mutations.push(offered.splice(0, OFFERED_MAX));
  return takeFirst(db, mutations);
}

async function dropGeneration(db: Database, gen: number): Promise<void> {
  await db.rows
    .where("[g+t+id]")
    .between([gen], [gen + 1])
    .delete();
}
