/**
 * What is shown of the records that own mutations touch (`own`): the server's state with those laid
 * over it. All functions run inside a transaction.
 */
import { overlay } from "../core/overlay.js";
import { shownGen, type Shown } from "../core/copy.js";
import type { Change } from "../core/wire.js";
import { recordKey, type Database, type OutboxRow, type OwnRow } from "./database.js";

/** Of more records than these it is asked first how many mutations there are. */
const LOOKED_UP_MAX = 50;

/** Which record. */
interface RecordName {
  table: string;
  id: string;
}

/** The records as they are shown now, in the form they are kept in when own mutations touch them. */
export async function shownNow(
  db: Database,
  shown: Shown,
  named: RecordName[],
): Promise<Map<string, OwnRow>> {
  const { names, keys } = distinct(named);
  const [own, told] = await Promise.all([
    Promise.all(names.map(({ table, id }) => db.own.get([table, id]))),
    toldOf(db, shown, names),
  ]);
  return new Map(
    names.map(({ table, id }, at) => {
      const row = told[at];
      const kept = own[at] ?? { t: table, id, d: row?.d ?? null, s: row ? 1 : 0 };
      return [keys[at] as string, kept];
    }),
  );
}

/** Works out anew what is shown of the records that these changes touch. Over everything. */
export async function reshow(db: Database, touched: RecordName[]): Promise<void> {
  const { names, keys } = distinct(touched);
  if (names.length === 0) return;
  const { shown } = await db.read("here");
  const [pending, told] = await Promise.all([touching(db, keys), toldOf(db, shown, names)]);
  const lists = new Map<string, Change[]>(keys.map((key) => [key, []]));
  for (const change of pending.flatMap((row) => row.c))
    lists.get(recordKey(change.table, change.id))?.push(change);
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
  await Promise.all([db.own.bulkPut(own), db.own.bulkDelete(alone)]);
}

/** The mutations that touch any of these records, in order. */
async function touching(db: Database, keys: string[]): Promise<OutboxRow[]> {
  // Of many records it is less work to read the whole outbox than to look each of them up.
  if (keys.length > LOOKED_UP_MAX && (await db.outbox.count()) <= keys.length)
    return db.outbox.orderBy("n").toArray();
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
function toldOf(db: Database, shown: Shown, names: RecordName[]) {
  return Promise.all(
    names.map(({ table, id }) => {
      const gen = shownGen(shown, table);
      return db.rowsOf(gen).get([gen, table, id]);
    }),
  );
}
