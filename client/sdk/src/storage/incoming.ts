/** What the hub told, into the database: one transaction for a message and the cursor it moves. */
import { Dexie, type Table } from "dexie";
import { canonical } from "../core/canonical.js";
import { packed } from "../core/weight.js";
import { shownGen, type Fill, type Replica } from "../core/copy.js";
import { target } from "../core/position.js";
import type { Step } from "../core/replica.js";
import { isLater } from "../core/hlc.js";
import type { Change, Cursor, Entry } from "../core/wire.js";
import { leaveAlone } from "./former.js";
import { GONE_MAX, newClient, recordKey, type Database } from "./database.js";
import type { Row, RowKey, StagedRow } from "./database.js";
import type { Lead } from "./lead.js";
import { lastMade, take } from "./outbox.js";
import { forgetDecided, leavePassed, renumber } from "./sending.js";
import { reshow } from "./shown.js";
import { observeStamp } from "./seen.js";

/** Records of a snapshot that are written at once, and in one transaction while no caller waits. */
const PUT_AT_ONCE = 50;
const PUT_MAX = 1_000;

/** Records that are deleted at once when nobody needs them. */
const DELETED_AT_ONCE = 1_000;

/** Of more records than these it is asked first whether there are own ones at all. */
const LOOKED_UP_MAX = 50;

/** Writes what a step asks for, over everything. True if this device is another client from now on. */
export async function carryOut(db: Database, before: Replica, step: Step): Promise<boolean> {
  if (step.erases) await erase(db);
  if (step.losesHistory) await forgetDecided(db);
  const { replica: now, completes } = step;
  const isReplaced = completes && before.fill?.tables === null;
  const aside = completes && before.staged && !isReplaced;
  const kept = aside ? await db.staged.orderBy("n").toArray() : [];
  const told = [...kept, ...step.stage.map(toRow)];
  const shown = (table: string) => shownGen(now, table);
  await Promise.all([
    // The generation is that of the fill, which has just ended if the step completes the copy.
    putRows(db, step.rows.map(toRow), (table) => target(now, table) ?? shown(table)),
    completes ? putRows(db, told, shown) : db.staged.bulkAdd(told),
    db.keep("replica", now),
    observeStamp(db, latestOf(before, step)),
    completes && before.fill && showOthers(db, now),
  ]);
  if (!completes) return step.erases;
  if (before.staged || isReplaced) await db.staged.clear();
  const isAnother = isReplaced && before.offers && (await offerBack(db, before, now));
  await show(db, before, now, told);
  return isAnother;
}

/** A transaction of who talks to the hub, over these tables and `meta`. */
type Over = (tables: Table[], work: () => Promise<number>) => Promise<number>;

/**
 * Writes a part of a snapshot. Nobody shows it yet, so it may take several transactions, the last
 * with the place where the next part begins: one that breaks off is written again. Some browsers let
 * only one transaction write, whatever it names, so a caller's has the next turn.
 */
export async function carryOutPart(db: Database, step: Step, over: Over): Promise<void> {
  const { gen } = step.replica.fill as Fill;
  const rows = step.rows.map(({ table: t, id, data, at }) => ({ g: gen, t, id, d: data, at }));
  const table = db.rowsOf(gen);
  let done = 0;
  do {
    done = await over([table], async () => {
      const end = await putSome(db, table.name, rows, done);
      if (end === rows.length) await db.keep("replica", step.replica);
      return end;
    });
  } while (done < rows.length);
}

/** Puts rows from `from` on, until a caller waits. Returns up to where. */
async function putSome(db: Database, table: string, rows: object[], from: number): Promise<number> {
  // Nobody watches these rows, so what Dexie does for those who watch is left out.
  const { idbtrans } = Dexie.currentTransaction as unknown as { idbtrans: IDBTransaction };
  const store = idbtrans.objectStore(table);
  let at = from;
  while (at < rows.length && at - from < PUT_MAX && (at === from || db.callers === 0)) {
    const some = rows.slice(at, at + PUT_AT_ONCE);
    await new Dexie.Promise<void>((resolve, reject) => {
      for (const [index, row] of some.entries()) {
        const request = store.put(row);
        request.onerror = () => reject(request.error);
        if (index === some.length - 1) request.onsuccess = () => resolve();
      }
    });
    at += some.length;
  }
  return at;
}

/** Deletes the generations that nobody needs, some rows at a time. */
export async function sweep(db: Database, lead: Lead): Promise<void> {
  for (;;) {
    const [gen] = (await db.read("replica")).drop;
    if (gen === undefined) return;
    const rows = db.rowsOf(gen);
    await lead.over([rows], async () => {
      const all = rows.where("[g+t+id]").between([gen], [gen + 1]);
      const keys = await all.limit(DELETED_AT_ONCE).primaryKeys();
      const last = keys.at(-1);
      if (last) return rows.where("[g+t+id]").between([gen], last, true, true).delete();
      const replica = await db.read("replica");
      return db.keep("replica", { ...replica, drop: replica.drop.filter((one) => one !== gen) });
    });
  }
}

function latestOf(before: Replica, step: Step): string {
  let latest = (step.completes && before.fill?.latest) || "";
  for (const { at } of [...step.rows, ...step.stage]) if (isLater(at, latest)) latest = at;
  return latest;
}

function toRow({ table, id, data, at }: Entry): StagedRow {
  return { t: table, id, d: data, at };
}

/** Everything goes. The hub has forgotten what this client sent, so its numbers are over as well. */
async function erase(db: Database): Promise<void> {
  const { ended = -Infinity, forgotten } = await db.read("client");
  const last = Math.max(ended, await lastMade(db));
  const { rows0, rows1, staged, gone, own, outbox, sent, rejected, settled } = db;
  for (const table of [rows0, rows1, staged, gone, own, outbox, sent, rejected, settled])
    await table.clear();
  await db.keep("client", { ...newClient(last), forgotten });
  await leaveAlone(db);
}

/** Of a record that was told twice the last counts. */
async function putRows(db: Database, told: StagedRow[], genOf: (table: string) => number) {
  const last = new Map(told.map((row) => [recordKey(row.t, row.id), row]));
  const kinds = new Map<Table<Row, RowKey>, { there: Row[]; gone: RowKey[] }>();
  for (const { t, id, d, at } of last.values()) {
    const g = genOf(t);
    const rows = db.rowsOf(g);
    const kind = kinds.get(rows) ?? { there: [], gone: [] };
    kinds.set(rows, kind);
    if (d) kind.there.push({ g, t, id, d, at });
    else kind.gone.push([g, t, id]);
  }
  for (const [rows, { there, gone }] of kinds) {
    if (there.length > 0) await rows.bulkPut(await withKnownStamps(rows, there));
    if (gone.length > 0) await rows.bulkDelete(gone);
  }
  await bury(db, last.values());
}

/** Remembers what was deleted, of much the latest: a hub that loses it is told it again. */
async function bury(db: Database, told: Iterable<StagedRow>): Promise<void> {
  const gone = [...told].flatMap(({ t, id, d, at }) => (d || at === "" ? [] : { t, id, at }));
  if (gone.length === 0) return;
  await db.gone.bulkPut(gone);
  const more = (await db.gone.count()) - GONE_MAX;
  if (more > 0) await db.gone.bulkDelete(await db.gone.orderBy("at").limit(more).primaryKeys());
}

/** A record told without a stamp is at least as new as it was. */
async function withKnownStamps(rows: Table<Row, RowKey>, told: Row[]): Promise<Row[]> {
  const without = told.filter((row) => row.at === "");
  if (without.length === 0) return told;
  const known = await rows.bulkGet(without.map(({ g, t, id }) => [g, t, id]));
  const stamps = new Map(without.map((row, at) => [row, known[at]?.at ?? ""]));
  return told.map((row) => ({ ...row, at: stamps.get(row) ?? row.at }));
}

/** The copy is complete: it is shown, and own mutations it holds are let go. */
async function show(db: Database, before: Replica, now: Replica, told: StagedRow[]): Promise<void> {
  const [touched, passed] = await Promise.all([
    before.fill ? [] : touchedByOwn(db, told),
    leavePassed(db, (now.cursor as Cursor).seq),
  ]);
  await (before.fill ? reshowAll(db) : reshow(db, [...touched, ...passed]));
}

async function showOthers(db: Database, { base, ahead }: Replica): Promise<void> {
  await db.keep("here", { ...(await db.read("here")), shown: { base, ahead } });
}

async function touchedByOwn(db: Database, told: StagedRow[]) {
  if (told.length > LOOKED_UP_MAX && (await db.own.count()) === 0) return [];
  const own = await db.own.bulkGet(told.map(({ t, id }) => [t, id]));
  return own.flatMap((row) => (row ? [{ table: row.t, id: row.id }] : []));
}

/**
 * After another history was taken over: what was shown before and differs is written again with
 * the newest stamp known of it, and what was deleted is deleted again with the stamp of that, so that
 * it wins only where the hub has lost it. See `takeFirst`.
 */
async function offerBack(db: Database, before: Replica, now: Replica): Promise<boolean> {
  const offered: Change[] = [];
  const shownBefore = new Set<string>();
  const held = [db.rows0, db.rows1].map((rows) => rows.where("[g+t+id]").below([now.base]));
  for (const row of (await Promise.all(held.map((rows) => rows.toArray()))).flat()) {
    if (row.g !== shownGen(before, row.t)) continue;
    shownBefore.add(recordKey(row.t, row.id));
    if (row.at === "") continue;
    const told = await db.rowsOf(now.base).get([now.base, row.t, row.id]);
    if (told && canonical(told.d) === canonical(row.d)) continue;
    offered.push({ table: row.t, id: row.id, op: "insert", insertedAt: row.at, data: row.d });
  }
  for (const { t, id, at } of await db.gone.toArray()) {
    const told = await db.rowsOf(now.base).get([now.base, t, id]);
    if (told && !isLater(told.at, at) && !shownBefore.has(recordKey(t, id)))
      offered.push({ table: t, id, op: "delete", deletedAt: at });
  }
  const { limits } = await db.read("here");
  return takeFirst(
    db,
    packed(offered, (change) => change, limits),
  );
}

/**
 * Takes mutations as if they had been made before everything that waits, which may stand on them.
 * True if that has another client id now: what waited may have been sent with its number.
 */
async function takeFirst(db: Database, mutations: Change[][]): Promise<boolean> {
  const first = await Promise.all([
    db.outbox.orderBy("n").first(),
    db.rejected.orderBy("n").first(),
  ]);
  await take(db, mutations, Math.min(1, ...first.map((row) => row?.n ?? 1)) - mutations.length);
  if ((await db.sent.count()) === 0) return false;
  await renumber(db);
  return true;
}

/** All records with own mutations over them: after the server's rows have been exchanged. */
async function reshowAll(db: Database): Promise<void> {
  const own = await db.own.toArray();
  await reshow(
    db,
    own.map(({ t, id }) => ({ table: t, id })),
  );
}
