/**
 * The IndexedDB database of one app and account, by Dexie. What belongs together is written in one
 * transaction, and every tab of the account works on it; the rules are in `core`.
 *
 * A browser lets transactions wait for each other that name the same table. So what callers write,
 * and what is written while mutations are sent or a snapshot comes, are tables apart.
 */
import { uuid } from "../core/uuid.js";
import { Dexie, type Table } from "dexie";
import { NEW_CLOCK, type ClockState } from "../core/clock.js";
import type { JsonObject } from "../core/json.js";
import { SynclineError } from "../core/errors.js";
import { DEFAULT_LIMITS } from "../core/weight.js";
import { NEW_REPLICA, NONE_SHOWN, shownGen, type Replica, type Shown } from "../core/copy.js";
import type { Change, Limits } from "../core/wire.js";

/** Generation, table, id. */
export type RowKey = [number, string, string];

/** A record as the server told it. */
export interface Row {
  /** Generation, table and id: the key. */
  g: number;
  t: string;
  id: string;
  d: JsonObject;
  /** The newest stamp told with it; empty if none was. */
  at: string;
}

/** A change of the server's that is not shown yet. */
export interface StagedRow {
  n?: number;
  t: string;
  id: string;
  d: JsonObject | null;
  at: string;
}

/** A record that the server told to be deleted; the last `GONE_MAX` are kept. */
interface GoneRow {
  t: string;
  id: string;
  /** The stamp of its delete. */
  at: string;
}

/** A record that own mutations are laid over, as it is shown; `d` is `null` where they hide it. */
export interface OwnRow {
  t: string;
  id: string;
  d: JsonObject | null;
  /** 1 if the server has the record, so that counting need not look. */
  s: 0 | 1;
}

/** An own mutation, as it was made. */
export interface OutboxRow {
  /** The order in which they were made, on this device. */
  n?: number;
  c: Change[];
  /** `recordKey` of every record it touches. */
  k: string[];
  /** The latest wall time of its stamps, in milliseconds since 1970. */
  w: number;
}

/** What became of a mutation that has its number; one without such a row was never sent. */
export interface SentRow {
  n: number;
  /** Its number for the hub, given at first sending. */
  m: number;
  w: number;
  /** Its verdict took effect in this commit; the cursor has not passed it. Without: no verdict. */
  seq?: number;
}

/** A mutation that the hub refused for good, under the `n` it had. */
export interface RejectedRow {
  n: number;
  c: Change[];
  code: string;
  message: string;
  /** Milliseconds since 1970, by this device. */
  at: number;
}

/** What became of a mutation, if it was not just applied; the last `SETTLED_MAX` are kept. */
export interface SettledRow {
  n: number;
  status: "applied" | "superseded" | "discarded" | "moved";
  /** The `n` of the mutation that took its place, of one that `moved`. */
  to?: number;
}

/** What is kept once: the first three for callers, the rest for who talks to the hub. */
export interface Kept {
  clock: ClockState;
  here: Here;
  lost: Lost;
  replica: Replica;
  client: Client;
  /** The tab that talks to the hub; what another one still does is thrown away. */
  leader: string;
  /** What was moved in from a guest, or that seeds were planted: each happens once. */
  done: string[];
  /** What became of what was moved in; the last `MOVED_MAX` runs of it. */
  moved: Moved[];
  stayed: Stayed;
}

/**
 * That there was a database before this one, whose unsent writes are not here; empty if there was
 * none, or once that was acknowledged.
 */
export type Lost = "" | "evicted" | "unreadable";

/** What every read or write goes by. */
interface Here {
  /** An account's time on this device, by a random name; a sign-out that deletes begins another. */
  stay: string;
  /** As the replica has it. */
  shown: Shown;
  limits: Limits;
}

/** What this device is to the hub. */
export interface Client {
  id: string;
  /** The last number given, and the last one with a verdict. */
  last: number;
  confirmed: number;
  /** The highest seq heard of in this history. */
  head: number;
  /** The first history this id was told of; absent before, and in what older versions stored. */
  epoch?: string;
  /**
   * Counts how often what was to be sent became another: its numbers, its order or its stamps. Absent
   * in what older versions stored, until the next time.
   */
  sendingVersion?: number;
  /** Mutations up to this `n` that are not here any more were given up, as all was. */
  ended?: number;
  /** Of those, the ones that moved into an account; the last `WENT_MAX`. */
  went?: Went[];
  /** What became of mutations up to this `n` that are not here any more is remembered no longer. */
  forgotten?: number;
}

/** Where a guest's mutations went when the guest signed in. */
export interface Went {
  /** Those after the first and up to the second `n`. */
  after: number;
  upTo: number;
  /** The guest's client id, which names it in the account's `moved`. */
  id: string;
  /** The account's database, and its stay then. */
  name: string;
  place: number;
  stay: string;
  /** The account was signed out since: who signs in to it again is another guest. */
  isOver?: true;
}

/** Mutations of another database that were made again here, in their order. */
export interface Moved {
  /** The other one's client id. */
  id: string;
  /** The first and the last `n` there. */
  first: number;
  last: number;
  /** The `n` the first one has here. */
  to: number;
  /** Each of them became the next one here; else all of them stand in that one. */
  each: boolean;
}

/** What a guest who moved in began with and made nothing of, by `recordKey`: it stayed behind. */
export interface Stayed {
  /** The guest's client id. */
  id: string;
  keys: string[];
  /** Those of them that the guest has deleted: an account that is begun does not get them either. */
  gone: string[];
}

export function newClient(ended?: number, went?: Went[]): Client {
  const client = { id: `c-${uuid()}`, last: 0, confirmed: 0, head: 0, sendingVersion: 0 };
  return { ...client, ...(ended !== undefined && { ended }), ...(went && { went }) };
}

/** What to keep as `sendingVersion` when what was to be sent becomes another. */
export function nextSendingVersion({ sendingVersion = 0 }: Client): number {
  return sendingVersion + 1;
}

/** Sign-ins of a guest that are remembered. */
export const WENT_MAX = 20;

/** What is remembered of mutations that were not just applied. */
export const SETTLED_MAX = 1_000;

/** Deletes kept, to be told to a hub that has lost them. */
export const GONE_MAX = 2_000;

/** IndexedDB, and what Dexie needs to build keys for it. */
export interface IndexedDb {
  indexedDB: IDBFactory;
  IDBKeyRange: typeof IDBKeyRange;
}

export class Database extends Dexie {
  declare readonly rows0: Table<Row, RowKey>;
  declare readonly rows1: Table<Row, RowKey>;
  declare readonly staged: Table<StagedRow, number>;
  declare readonly gone: Table<GoneRow, [string, string]>;
  declare readonly own: Table<OwnRow, [string, string]>;
  declare readonly outbox: Table<OutboxRow, number>;
  declare readonly sent: Table<SentRow, number>;
  declare readonly rejected: Table<RejectedRow, number>;
  declare readonly settled: Table<SettledRow, number>;
  declare readonly local: Table<{ k: keyof Kept; v: unknown }, string>;
  declare readonly meta: Table<{ k: keyof Kept; v: unknown }, string>;
  /** The name it was asked for by, and which of the databases of that name it is: see `open`. */
  readonly asked: string;
  readonly place: number;
  /** The stay it was opened in. In another one nothing is done by it. */
  stay = "";
  /** How many callers of this tab wait for their turn, or have it. */
  callers = 0;
  /** What was shown when this tab last looked. */
  #shown: Shown = NONE_SHOWN;
  #isClosedForGood = false;

  /** `fields` are those by which collections are searched. */
  constructor(name: string, fields: readonly string[], engine?: IndexedDb, place = 1) {
    // The cache would show writes before they are there. What is relaxed survives the tab and the
    // browser; only what the system had not put on its disk goes with the power.
    const options = { cache: "disabled", chromeTransactionDurability: "relaxed" } as const;
    super(placeName(name, place), { ...engine, ...options });
    this.asked = name;
    this.place = place;
    const indexes = fields.map((field) => `[g+t+d.${field}]`);
    const rows = ["[g+t+id]", ...indexes].join();
    this.version(1).stores({
      rows0: rows,
      rows1: rows,
      staged: "++n",
      gone: "[t+id],at",
      own: "[t+id]",
      outbox: "++n,*k",
      sent: "n,m,seq",
      rejected: "n",
      settled: "n",
      local: "k",
      meta: "k",
    });
  }

  /** This side closed it; one that the browser closed opens itself when it is used. */
  get isClosedForGood(): boolean {
    return this.#isClosedForGood;
  }

  override close(how?: { disableAutoOpen: boolean }): void {
    this.#isClosedForGood ||= how?.disableAutoOpen ?? true;
    super.close(how);
  }

  /** Where the rows of a generation are. */
  rowsOf(gen: number): Table<Row, RowKey> {
    return gen % 2 === 0 ? this.rows0 : this.rows1;
  }

  /** What is kept under `key`, or what holds before anything is. */
  async read<K extends keyof Kept>(key: K): Promise<Kept[K]> {
    const kept = await this.#placeOf(key).get(key);
    return (kept?.v ?? DEFAULTS[key]) as Kept[K];
  }

  async keep<K extends keyof Kept>(key: K, value: Kept[K]): Promise<void> {
    await this.#placeOf(key).put({ k: key, v: value });
  }

  #placeOf(key: keyof Kept) {
    return ["clock", "here", "lost"].includes(key) ? this.local : this.meta;
  }

  /**
   * A transaction over everything. Errors: `signed_out`: another tab ended the account's stay, and
   * nothing was done.
   */
  everything<T>(work: () => Promise<T>): Promise<T> {
    const check = async () => this.#check(await this.read("here"));
    // Both are asked at once, the stay first. Dexie has to see that it is async.
    const both = async () => Promise.all([check(), work()]);
    return this.transaction("rw", this.tables, both).then(([, result]) => result);
  }

  /**
   * A transaction over what is shown of some collections, and over `more`. `work` may be done again
   * from the start; what it did before has no effect then. Errors: `signed_out`, if it writes.
   */
  async showing<T>(
    mode: "r" | "rw",
    collections: string[],
    more: Table[],
    work: (shown: Shown, here: PromiseLike<Here>) => Promise<T>,
  ): Promise<T> {
    this.callers++;
    try {
      return await this.#showing(mode, collections, more, work);
    } finally {
      this.callers--;
    }
  }

  async #showing<T>(
    mode: "r" | "rw",
    collections: string[],
    more: Table[],
    work: (shown: Shown, here: PromiseLike<Here>) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const shown = this.#shown;
      const rows = new Set(collections.map((name) => this.rowsOf(shownGen(shown, name))));
      let isShown = true;
      const check = (here: Here) => {
        if (mode === "rw") this.#check(here);
        this.#shown = here.shown;
        isShown = collections.every((name) => shownGen(shown, name) === shownGen(here.shown, name));
        // What only reads may end as well: Dexie tells of everything that is broken off.
        if (!isShown && mode === "rw") throw new Error("another generation is shown");
        return here;
      };
      const both = async () => {
        const here = this.read("here").then(check);
        return Promise.all([here, work(shown, here)]);
      };
      try {
        const tables = [this.local, this.own, ...rows, ...more];
        const [, result] = await this.transaction(mode, tables, both);
        if (isShown) return result;
      } catch (error) {
        if (isShown) throw error;
      }
    }
  }

  #check({ stay }: Here): void {
    // One that the browser has just evicted is of no stay yet.
    if (stay !== "" && stay !== this.stay)
      throw new SynclineError("signed_out", "another tab has signed the account out");
  }
}

export const NEW_HERE: Here = { stay: "", shown: NONE_SHOWN, limits: DEFAULT_LIMITS };

const DEFAULTS: Omit<Kept, "client"> & { client: null } = {
  clock: NEW_CLOCK,
  here: NEW_HERE,
  lost: "",
  replica: NEW_REPLICA,
  client: null,
  leader: "",
  done: [],
  moved: [],
  stayed: { id: "", keys: [], gone: [] },
};

/** A record's name as one key: neither part holds control characters. */
export function recordKey(table: string, id: string): string {
  return `${table}\n${id}`;
}

/** What the database in another place than the first is called; no account's name makes it that. */
export function placeName(name: string, place: number): string {
  return place === 1 ? name : `${place}:${name}`;
}

/** The database's name. Accounts never share one, so nobody is shown another's data. */
export function databaseName(appId: string, account: string | null): string {
  return account === null ? `syncline/${appId}/guest` : `syncline/${appId}/user/${account}`;
}
