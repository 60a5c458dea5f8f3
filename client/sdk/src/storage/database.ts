/**
 * The IndexedDB database of one app and account, by Dexie. What belongs together is written in one
 * transaction, and every tab of the account works on it; the rules are in `core`.
 *
 * A browser lets transactions wait for each other that name the same table. So what callers write,
 * and what is written while mutations are sent or a snapshot comes, are tables apart.
 */
import Dexie, { type Table } from "dexie";
import { NEW_CLOCK, type ClockState } from "../core/clock";
import type { JsonObject } from "../core/json";
import { SynclineError } from "../core/errors";
import { DEFAULT_LIMITS } from "../core/outbox";
import { NEW_REPLICA, NONE_SHOWN, shownGen, type Replica, type Shown } from "../core/copy";
import type { Change, Limits } from "../core/wire";

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

/** The verdict of a mutation that has left; the last `SETTLED_MAX` are kept for who waits. */
export interface SettledRow {
  n: number;
  status: "applied" | "superseded" | "discarded";
}

/** What is kept once: the first two for callers, the rest for who talks to the hub. */
export interface Kept {
  clock: ClockState;
  here: Here;
  replica: Replica;
  client: Client;
  /** The tab that talks to the hub; what another one still does is thrown away. */
  leader: string;
  /** What was moved in from a guest, or that seeds were planted: each happens once. */
  done: string[];
}

/** What every read or write goes by. */
export interface Here {
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
  /** Counts how often what was to be sent became another: its numbers, its order or its stamps. */
  turn: number;
}

export function newClient(): Client {
  return { id: `c-${crypto.randomUUID()}`, last: 0, confirmed: 0, head: 0, turn: 0 };
}

/** Verdicts kept of mutations that have left. */
export const SETTLED_MAX = 1_000;

/** IndexedDB, and what Dexie needs to build keys for it. */
export interface IndexedDb {
  indexedDB: IDBFactory;
  IDBKeyRange: typeof IDBKeyRange;
}

export class Database extends Dexie {
  declare readonly rows0: Table<Row, RowKey>;
  declare readonly rows1: Table<Row, RowKey>;
  declare readonly staged: Table<StagedRow, number>;
  declare readonly own: Table<OwnRow, [string, string]>;
  declare readonly outbox: Table<OutboxRow, number>;
  declare readonly sent: Table<SentRow, number>;
  declare readonly rejected: Table<RejectedRow, number>;
  declare readonly settled: Table<SettledRow, number>;
  declare readonly local: Table<{ k: keyof Kept; v: unknown }, string>;
  declare readonly meta: Table<{ k: keyof Kept; v: unknown }, string>;
  /** The stay it was opened in. In another one nothing is done by it. */
  stay = "";
  /** How many callers of this tab wait for their turn, or have it. */
  callers = 0;
  /** What was shown when this tab last looked. */
  #shown: Shown = NONE_SHOWN;
  #isClosedForGood = false;

  /** `fields` are those by which collections are searched. */
  constructor(name: string, fields: readonly string[], engine?: IndexedDb) {
    // The cache would show writes before they are there. What is relaxed survives the tab and the
    // browser; only what the system had not put on its disk goes with the power.
    super(name, { ...engine, cache: "disabled", chromeTransactionDurability: "relaxed" });
    const indexes = fields.map((field) => `[g+t+d.${field}]`);
    const rows = ["[g+t+id]", ...indexes].join();
    this.version(1).stores({
      rows0: rows,
      rows1: rows,
      staged: "++n",
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
    return key === "clock" || key === "here" ? this.local : this.meta;
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
  replica: NEW_REPLICA,
  client: null,
  leader: "",
  done: [],
};

/** A record's name as one key: neither part holds control characters. */
export function recordKey(table: string, id: string): string {
  return `${table}\n${id}`;
}

/** The database's name. Accounts never share one, so nobody is shown another's data. */
export function databaseName(appId: string, account: string | null): string {
  return account === null ? `syncline/${appId}/guest` : `syncline/${appId}/user/${account}`;
}
