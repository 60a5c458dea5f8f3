/**
 * What is shown of the records that own mutations touch (`own`): the server's state with those laid
 * over it. All functions run inside a transaction over everything.
 */
import { overlay } from "../core/overlay";
import { shownGen } from "../core/replica";
import type { Change } from "../core/wire";
import { recordKey, type Database, type OutboxRow, type OwnRow } from "./database";

/** Which record. */
export interface RecordName {
  table: string;
  id: string;
}

/** The records as they are shown now, in the form they are kept in when own mutations touch them. */
export async function shownNow(db: Database, named: RecordName[]): Promise<Map<string, OwnRow>> {
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

/** All records with own mutations over them: after the server's rows have been exchanged. */
export async function reshowAll(db: Database): Promise<void> {
  const own = await db.own.toArray();
  await reshow(
    db,
    own.map(({ t, id }) => ({ table: t, id })),
  );
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
