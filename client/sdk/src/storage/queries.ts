/** Reading: the server's rows with the own ones in their place. Works inside `liveQuery`. */
import { canonical } from "../core/canonical.js";
import type { Json, JsonObject } from "../core/json.js";
import { shownGen } from "../core/copy.js";
import type { Database, Row } from "./database.js";

/** What a field must be: a value, or within bounds. */
export type Condition =
  | Json
  | { gt?: number | string; gte?: number | string; lt?: number | string; lte?: number | string }
  | { in: Json[] };

/** A record as an app sees it. */
export type Shown = JsonObject & { id: string };

/** What is asked for. */
export interface Asked {
  /** Fields that must all hold, or a function. */
  filter?: Record<string, Condition> | ((record: Shown) => boolean);
  /** Fields to sort by; `-` in front sorts downwards. Without it, by id. */
  sort?: string | string[];
  limit?: number;
  offset?: number;
}

export function get(db: Database, table: string, id: string): Promise<Shown | undefined> {
  return db.showing("r", [table], [], async (now) => {
    const gen = shownGen(now, table);
    const [own, row] = await Promise.all([
      db.own.get([table, id]),
      db.rowsOf(gen).get([gen, table, id]),
    ]);
    const data = own ? own.d : row?.d;
    return data ? shown(id, data) : undefined;
  });
}

/** `indexes` are the fields that are indexed. */
export async function query(
  db: Database,
  table: string,
  asked: Asked,
  indexes: readonly string[],
): Promise<Shown[]> {
  return db.showing("r", [table], [], async (now) => {
    const gen = shownGen(now, table);
    const own = await ownOf(db, table);
    const hidden = new Set(own.map((row) => row.id));
    const matches = matcher(asked.filter);
    const fits = (row: Row) => !hidden.has(row.id) && matches(shown(row.id, row.d));
    const byIndex = indexed(db, gen, table, asked, indexes);
    const all = () =>
      db
        .rowsOf(gen)
        .where("[g+t+id]")
        .between(...idRange([gen, table]));
    const rows = (byIndex ?? all()).filter(fits);
    const end = (asked.offset ?? 0) + (asked.limit ?? Infinity);
    // Rows come by id unless an index was taken, so without sorting the first ones are enough.
    const enough = !byIndex && !asked.sort && end < Infinity ? rows.limit(end) : rows;
    const found = (await enough.toArray()).map((row) => shown(row.id, row.d));
    for (const { id, d } of own) {
      const record = d && shown(id, d);
      if (record && matches(record)) found.push(record);
    }
    return found.sort(order(asked.sort)).slice(asked.offset ?? 0, end);
  });
}

export async function count(
  db: Database,
  table: string,
  filter: Asked["filter"],
  indexes: readonly string[],
): Promise<number> {
  if (filter) return (await query(db, table, { filter }, indexes)).length;
  return db.showing("r", [table], [], async (now) => {
    const gen = shownGen(now, table);
    let total = await db
      .rowsOf(gen)
      .where("[g+t+id]")
      .between(...idRange([gen, table]))
      .count();
    for (const { d, s } of await ownOf(db, table)) total += (d ? 1 : 0) - s;
    return total;
  });
}

function ownOf(db: Database, table: string) {
  return db.own
    .where("[t+id]")
    .between(...idRange([table]))
    .toArray();
}

function shown(id: string, data: JsonObject): Shown {
  return { ...data, id };
}

/** The rows that an index finds, if the filter names an indexed field by text, number or bounds. */
function indexed(db: Database, g: number, t: string, asked: Asked, indexes: readonly string[]) {
  if (typeof asked.filter !== "object") return null;
  for (const [field, wanted] of Object.entries(asked.filter)) {
    if (!indexes.includes(field)) continue;
    const rows = db.rowsOf(g).where(`[g+t+d.${field}]`);
    if (isKey(wanted)) return rows.equals([g, t, wanted]);
    const { low, high } = bounds(wanted);
    if (!isKey(low ?? high) || !isKey(high ?? low)) continue;
    // The bounds themselves are looked at again, so they may be in.
    return rows.between([g, t, low ?? -Infinity], [g, t, high ?? []], true, true);
  }
  return null;
}

/** What an index can be asked for. */
function isKey(value: unknown): value is number | string {
  return typeof value === "string" || (typeof value === "number" && !Number.isNaN(value));
}

function bounds(wanted: Condition): { low?: number | string; high?: number | string } {
  if (!areBounds(wanted)) return {};
  const { gt, gte, lt, lte } = wanted as Record<string, number | string | undefined>;
  return { low: gte ?? gt, high: lte ?? lt };
}

const BOUNDS: Record<string, (a: number | string, b: number | string) => boolean> = {
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
};

function matcher(filter: Asked["filter"]): (record: Shown) => boolean {
  if (!filter) return () => true;
  if (typeof filter === "function") return filter;
  const tests = Object.entries(filter);
  return (record) => tests.every(([field, wanted]) => holds(record[field], wanted));
}

/** Whether it is a range, and not an object that a field may be. */
function areBounds(wanted: Condition): wanted is Exclude<Condition, Json> {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) return false;
  const names = Object.keys(wanted);
  return names.length > 0 && names.every((name) => name in BOUNDS);
}

/** Values are equal if they are the same JSON; bounds hold between values of one type only. */
function holds(value: Json | undefined, wanted: Condition): boolean {
  if (typeof wanted !== "object" || wanted === null) return value === wanted;
  if ("in" in wanted && Array.isArray(wanted.in)) return wanted.in.some((one) => holds(value, one));
  if (!areBounds(wanted))
    return value !== undefined && canonical(value) === canonical(wanted as Json);
  return Object.entries(wanted).every(([name, bound]) => {
    const test = BOUNDS[name] as (typeof BOUNDS)[string];
    if (bound === undefined) return true;
    const comparable = typeof value === typeof bound && ["string", "number"].includes(typeof bound);
    return comparable && test(value as number | string, bound as number | string);
  });
}

/** Sorts as IndexedDB does: missing before null, false, true, numbers, texts, the rest. */
function order(sort: Asked["sort"]): (a: Shown, b: Shown) => number {
  const fields = [sort ?? []].flat().map((field) => {
    const down = field.startsWith("-");
    return { name: down ? field.slice(1) : field, sign: down ? -1 : 1 };
  });
  return (a, b) => {
    for (const { name, sign } of fields) {
      const order = compareValues(a[name], b[name]);
      if (order !== 0) return sign * order;
    }
    return compareText(a.id, b.id);
  };
}

function compareValues(a: Json | undefined, b: Json | undefined): number {
  const [rankA, rankB] = [rank(a), rank(b)];
  if (rankA !== rankB) return rankA - rankB;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  return 0;
}

function rank(value: Json | undefined): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  const types = ["boolean", "number", "string"];
  const type = types.indexOf(typeof value);
  return typeof value === "boolean" ? 2 + Number(value) : type < 0 ? 9 : 4 + type;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The keys between which all that begin with `prefix` lie: a list is after every number and text. */
function idRange(prefix: (number | string)[]): [unknown[], unknown[]] {
  return [prefix, [...prefix, []]];
}
