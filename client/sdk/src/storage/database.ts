/**
 * The IndexedDB database of one app and account, by Dexie. What belongs together is written in one
 * transaction, and every tab of the account works on it; the rules are in `core`.
 */
import Dexie, { type Table } from "dexie";
import { NEW_CLOCK, type ClockState } from "../core/clock";
import type { JsonObject } from "../core/json";
import { SynclineError } from "../core/errors";
import { DEFAULT_LIMITS } from "../core/outbox";
import { NEW_REPLICA, type Replica } from "../core/replica";
import type { Change, Limits } from "../core/wire";

/** A record as the server told it. */
export interface Row {
  /** Generation, table, id: the key. */
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

/** An own mutation. */
export interface OutboxRow {
  /** The order in which they were made, on this device. */
  n?: number;
  /** Its number for the hub, given at first sending. */
  m?: number;
  c: Change[];
  /** `recordKey` of every record it touches. */
  k: string[];
  /** The latest wall time of its stamps, in milliseconds since 1970. */
  w: number;
  /** Its verdict took effect in this commit; the cursor has not passed it. */
  seq?: number;
  /** 1 while it has no verdict, so that those are found by index. */
  p?: 1;
}

/** Whether it has no verdict. */
export function isUndecided(row: OutboxRow): boolean {
  return row.p === 1;
}

/** In the order in which they were made. */
export function byOrder(a: OutboxRow, b: OutboxRow): number {
  return (a.n as number) - (b.n as number);
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

/** What is kept once. */
export interface Meta {
  clock: ClockState;
  replica: Replica;
  limits: Limits;
  client: Client;
  /** The tab that talks to the hub; what another one still does is thrown away. */
  leader: string;
  /** What was moved in from a guest, or that seeds were planted: each happens once. */
  done: string[];
  /** An account's time on this device, by a random name; a sign-out that deletes begins another. */
  stay: string;
}

/** What this device is to the hub. */
export interface Client {
  id: string;
  /** The last number given, and the last one with a verdict. */
  last: number;
  confirmed: number;
  /** The highest seq heard of in this history. */
  head: number;
}

export function newClient(): Client {
  return { id: `c-${crypto.randomUUID()}`, last: 0, confirmed: 0, head: 0 };
}

/** Verdicts kept of mutations that have left. */
export const SETTLED_MAX = 1_000;

/** IndexedDB, and what Dexie needs to build keys for it. */
export interface IndexedDb {
  indexedDB: IDBFactory;
  IDBKeyRange: typeof IDBKeyRange;
}

export class Database extends Dexie {
  declare readonly rows: Table<Row, [number, string, string]>;
  declare readonly staged: Table<StagedRow, number>;
  declare readonly own: Table<OwnRow, [string, string]>;
  declare readonly outbox: Table<OutboxRow, number>;
  declare readonly rejected: Table<RejectedRow, number>;
  declare readonly settled: Table<SettledRow, number>;
  declare readonly meta: Table<{ k: keyof Meta; v: unknown }, string>;
  /** The stay it was opened in. In another one nothing is done by it. */
  stay = "";
  #isClosedForGood = false;

  /** `fields` are those by which collections are searched. */
  constructor(name: string, fields: readonly string[], engine?: IndexedDb) {
    // The cache would show writes before they are durable.
    super(name, { ...engine, cache: "disabled" });
    const indexes = fields.map((field) => `[g+t+d.${field}]`);
    this.version(1).stores({
      rows: ["[g+t+id]", ...indexes].join(),
      staged: "++n",
      own: "[t+id]",
      outbox: "++n,m,p,seq,*k",
      rejected: "n",
      settled: "n",
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

  /** What is kept under `key`, or what holds before anything is. */
  async read<K extends keyof Meta>(key: K): Promise<Meta[K]> {
    const kept = await this.meta.get(key);
    return (kept?.v ?? DEFAULTS[key]) as Meta[K];
  }

  async keep<K extends keyof Meta>(key: K, value: Meta[K]): Promise<void> {
    await this.meta.put({ k: key, v: value });
  }

  /**
   * A transaction over everything. Errors: `signed_out`: another tab ended the account's stay, and
   * nothing was done.
   */
  everything<T>(work: () => Promise<T>): Promise<T> {
    return this.transaction("rw", this.tables, async () => {
      // Both are asked at once, the stay first.
      const [, result] = await Promise.all([this.#checkStay(), work()]);
      return result;
    });
  }

  async #checkStay(): Promise<void> {
    const now = await this.read("stay");
    // One that the browser has just evicted is of no stay yet.
    if (now !== "" && now !== this.stay)
      throw new SynclineError("signed_out", "another tab has signed the account out");
  }
}

const DEFAULTS: Omit<Meta, "client"> & { client: null } = {
  clock: NEW_CLOCK,
  replica: NEW_REPLICA,
  limits: DEFAULT_LIMITS,
  client: null,
  leader: "",
  done: [],
  stay: "",
};

/** A record's name as one key: neither part holds control characters. */
export function recordKey(table: string, id: string): string {
  return `${table}\n${id}`;
}

/** The database's name. Accounts never share one, so nobody is shown another's data. */
export function databaseName(appId: string, account: string | null): string {
  return account === null ? `syncline/${appId}/guest` : `syncline/${appId}/user/${account}`;
}
