/** Writes that the hub refused for good. They wait here until somebody decides, and block nothing. */
import { SynclineError } from "./core/errors.js";
import { checkName, toData, toJson } from "./core/json.js";
import { fits, weigh } from "./core/weight.js";
import { lay } from "./core/overlay.js";
import type { Change } from "./core/wire.js";
import { liveOf } from "./live.js";
import type { Home, Live } from "./collection.js";
import { recordKey, type Database, type OwnRow, type RejectedRow } from "./storage/database.js";
import { take } from "./storage/outbox.js";
import { shownNow } from "./storage/shown.js";
import { restamped, stampEach } from "./storage/stamps.js";
import { settle } from "./storage/verdicts.js";

export interface Rejected {
  /** Names it in the methods here. */
  id: number;
  /** Why: a code of the hub, such as `record_too_large`, and a sentence. */
  code: string;
  message: string;
  /** What it would have done. */
  changes: Change[];
  /** When this device was told, in milliseconds since 1970. */
  at: number;
}

type Fields = Extract<Change, { op: "update" }>["fields"];

export class RejectedWrites {
  readonly #home: Home;
  readonly #now: () => number;

  constructor(home: Home, now: () => number) {
    this.#home = home;
    this.#now = now;
  }

  /** All of them, the oldest first. */
  async list(): Promise<Rejected[]> {
    const session = await this.#home.session();
    return session.work(() => listOf(session.db));
  }

  live(): Live<Rejected[]> {
    return liveOf(
      () => this.#home,
      ({ db }) => listOf(db),
    );
  }

  /** Makes it again, now. */
  retry(id: number): Promise<void> {
    return this.edit(id, (changes) => changes);
  }

  /**
   * Makes it again as `change` alters it. Errors: `value_invalid` for what is no change of a record, or
   * for none at all, `collection_unknown`, and those of every write.
   */
  async edit(id: number, change: (changes: Change[]) => Change[]): Promise<void> {
    const session = await this.#home.session();
    const { db } = session;
    const row = await session.work(() => db.rejected.get(id));
    if (!row) throw missing(id);
    const altered = checkedAll(change(structuredClone(row.c)));
    // What was refused may be of a collection that another version of the app has.
    for (const { table } of altered)
      if (!row.c.some((one) => one.table === table)) this.#home.known(table);
    const work = () =>
      db.everything(async () => {
        if (!(await db.rejected.get(id))) throw missing(id);
        const kept = await db.read("clock");
        const { clock, changes: made } = stampEach(kept, this.#now(), altered, restamped);
        await db.keep("clock", clock);
        await db.rejected.delete(id);
        const { shown, limits } = await db.read("here");
        if (!fits(weigh(made), limits))
          throw new SynclineError("mutation_too_large", "more than the hub takes at once");
        const records = await shownNow(db, shown, made);
        for (const one of made) {
          const record = records.get(recordKey(one.table, one.id)) as OwnRow;
          record.d = lay(record.d, one);
          if (record.d) this.#home.check(one.table, one.id, record.d);
        }
        const [to] = await take(db, [made]);
        await settle(db, [{ n: id, status: "moved", to }]);
      });
    await session.work(work);
    session.wrote();
  }

  /** Gives it up. */
  async discard(id: number): Promise<void> {
    const session = await this.#home.session();
    const { db } = session;
    const work = () =>
      db.everything(async () => {
        if (!(await db.rejected.get(id))) return;
        await db.rejected.delete(id);
        await settle(db, [{ n: id, status: "discarded" }]);
      });
    await session.work(work);
  }

  /** All of them as JSON text, to be kept elsewhere. */
  async export(): Promise<string> {
    return JSON.stringify(await this.list());
  }
}

/** Changes that hold only what may be stored. */
function checkedAll(changes: Change[]): Change[] {
  if (!Array.isArray(changes) || changes.length === 0)
    throw new SynclineError("value_invalid", "a write has changes; give it up by discard");
  return changes.map(checked);
}

function checked(given: Change): Change {
  const change = Object(given) as Change;
  const { table, id } = change;
  checkName(id);
  if (change.op === "delete") return change;
  if (change.op === "insert" && isObject(change.data))
    return { ...change, data: toData({ ...change.data }, table) };
  if (change.op === "update" && isObject(change.fields))
    return { ...change, fields: checkedFields(change.fields, table) };
  throw new SynclineError("value_invalid", `what was made of ${table} ${id} is no change`);
}

function checkedFields(fields: Fields, table: string): Fields {
  const checked = Object.entries(fields).map(([name, write]): [string, Fields[string]] => {
    if (!isObject(write) || write.value === undefined)
      throw new SynclineError("value_invalid", `${table}.${name} has no value`);
    return [name, { ...write, value: toJson(write.value, `${table}.${name}`) }];
  });
  // Their names are held to what those of an insert are.
  toData(Object.fromEntries(checked), table);
  return Object.fromEntries(checked);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function listOf(db: Database): Promise<Rejected[]> {
  return (await db.rejected.orderBy("n").toArray()).map(toRejected);
}

function toRejected({ n, c, code, message, at }: RejectedRow): Rejected {
  return { id: n, code, message, changes: c, at };
}

function missing(id: number): SynclineError {
  return new SynclineError("record_missing", `no rejected write ${id}`);
}
