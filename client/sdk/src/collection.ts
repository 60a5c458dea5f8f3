/** A collection: the records of one table, with their type. */
import { uuid } from "./core/uuid.js";
import { SynclineError } from "./core/errors.js";
import { checkName, toData, type Json, type JsonObject } from "./core/json.js";
import { liveOf } from "./live.js";
import type { Edit } from "./storage/outbox.js";
import { count, get, query, type Asked, type Shown } from "./storage/queries.js";
import type { Session } from "./session.js";

/** A record has an id and fields of JSON. */
export interface Identified {
  id: string;
}

/** A record to be inserted; without an id it gets a random one. */
export type New<T extends Identified> = Omit<T, "id"> & { id?: string };

/** Fields to be set. A field is never removed; `null` is a value. */
export type Patch<T extends Identified> = Partial<Omit<T, "id">>;

export interface CollectionOptions<T extends Identified> {
  /** The table's name, 1 to 128 bytes. */
  name: string;
  /** Throws for a record that may not be written, as the schemas of zod and valibot's `parser` do. */
  schema?: { parse(record: unknown): unknown };
  /** Fields whose filters are answered by an index. */
  indexes?: (keyof T & string)[];
  /** What guests, and accounts nobody has written to, begin with. */
  seed?: T[];
  sync?: {
    /** Milliseconds from a write to its sending; writes meanwhile go along. Default 1,000. */
    pushDebounce?: number;
    /** Milliseconds between two looks for news where no WebSocket is to be had. Default 30,000. */
    pullInterval?: number;
  };
}

/** What a field of this type must be: a value, one of several, or within bounds. */
export type Condition<V = Json> =
  | V
  | { in: readonly V[] }
  | (V extends number ? Bounds<number> : never)
  | (V extends string ? Bounds<string> : never);

interface Bounds<V> {
  gt?: V;
  gte?: V;
  lt?: V;
  lte?: V;
}

/** What a query asks for. */
export interface Query<T extends Identified> {
  /** Fields that must all hold, or a function. */
  filter?: { [F in keyof T]?: Condition<T[F]> } | ((record: T) => boolean);
  /** A field, or some; `-` in front sorts downwards. Without it, by id. */
  sort?: SortKey<T> | SortKey<T>[];
  limit?: number;
  offset?: number;
}

export type SortKey<T> = (keyof T & string) | `-${keyof T & string}`;

/** A write that is durable on this device. */
export interface Write {
  /** The record's id. */
  id: string;
  /**
   * Resolves when the hub has judged it: `applied`, or `superseded` where newer writes of others
   * stood in all it wrote. Errors: `RejectedError`, `stopped`.
   */
  synced(): Promise<"applied" | "superseded">;
}

/** What a subscription calls. Svelte and RxJS take it as it is. */
export interface Live<R> {
  /** Calls `next` with every new result. Returns what ends it. */
  subscribe(next: (result: R) => void, error?: (error: unknown) => void): () => void;
}

/** What a live query has told, as a value: the entries for Svelte and React make it. */
export interface Reading<R> {
  /** The last result; `undefined` before the first one. */
  readonly current: R | undefined;
  /** What is asked for now has not been answered: `current` is of what was asked before. */
  readonly isStale: boolean;
  /** Why what is asked for now has failed; `undefined` if it has not, or was answered since. */
  readonly error: unknown;
}

/** What a collection needs of its store. */
export interface Home {
  session(): Promise<Session>;
  /** Calls back now and whenever there is another session. Returns what ends it. */
  eachSession(call: (session: Session) => void): () => void;
  write(edits: Edit[]): Promise<Write>;
  /** Throws `collection_unknown` for a table that the store was not given. */
  known(table: string): void;
  /** Throws for a record that may not be so. */
  check(table: string, id: string, data: JsonObject): void;
  isClosed(): boolean;
}

/** Names that are a path of keys by themselves. */
const INDEXABLE = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

export class LocalCollection<T extends Identified> {
  readonly name: string;
  readonly options: CollectionOptions<T>;
  /** Those of its `indexes` that a browser can index by; other fields are looked for among all. */
  readonly indexes: string[];
  #home: Home | undefined;

  constructor(options: CollectionOptions<T>) {
    this.name = checkName(options.name, "a collection's name");
    this.options = options;
    this.indexes = (options.indexes ?? []).filter((field) => INDEXABLE.test(field));
  }

  /** The store it is given to calls these. Errors: `collection_taken`. */
  checkFree(): void {
    if (this.#home && !this.#home.isClosed())
      throw new SynclineError("collection_taken", `${this.name} is another store's`);
  }

  attach(home: Home): void {
    this.#home = home;
  }

  /** Adds a record. Errors: `record_exists`, `schema_invalid`, `value_invalid`, `quota`. */
  async insert(record: New<T>): Promise<Write> {
    return this.#need().write([this.edits.insert(record)]);
  }

  /** Sets fields. Errors: `record_missing`, `schema_invalid`, `value_invalid`, `quota`. */
  async update(id: string, fields: Patch<T>): Promise<Write> {
    return this.#need().write([this.edits.update(id, fields)]);
  }

  /** Deletes a record; of one that is not there, here or at the hub, it is `applied` all the same. */
  async delete(id: string): Promise<Write> {
    return this.#need().write([this.edits.delete(id)]);
  }

  /** The same as parts of one write, for `store.write`. */
  readonly edits = {
    insert: (record: New<T>): Edit => {
      const { id = uuid(), ...data } = record;
      return { table: this.name, id: checkName(id), op: "insert", data: toData(data, this.name) };
    },
    update: (id: string, fields: Patch<T>): Edit => {
      for (const [name, value] of Object.entries(fields))
        if (value === undefined)
          throw new SynclineError("value_invalid", `${this.name}.${name} is undefined; set null`);
      const { id: own = id, ...values } = toData({ ...fields }, this.name);
      if (own !== id) throw new SynclineError("value_invalid", "an id stays what it is");
      return { table: this.name, id: checkName(id), op: "update", fields: values };
    },
    delete: (id: string): Edit => ({ table: this.name, id: checkName(id), op: "delete" }),
  };

  /** Throws `schema_invalid` for a record the schema refuses. */
  check(id: string, data: JsonObject): void {
    try {
      const parsed = this.options.schema?.parse({ ...data, id }) as Partial<Promise<unknown>>;
      if (typeof parsed?.then === "function") {
        parsed.then(undefined, () => {});
        throw new TypeError("a schema must answer at once");
      }
    } catch (error) {
      throw new SynclineError("schema_invalid", `${this.name} ${id}: ${String(error)}`, {
        cause: error,
      });
    }
  }

  async get(id: string): Promise<T | undefined> {
    return this.#read(async ({ db }) => (await get(db, this.name, id)) as T | undefined);
  }

  async query(asked: Query<T> = {}): Promise<T[]> {
    return this.#read((session) => this.#query(session, asked));
  }

  async count(asked: Pick<Query<T>, "filter"> = {}): Promise<number> {
    return this.#read((session) => this.#count(session, asked));
  }

  async #read<R>(ask: (session: Session) => Promise<R>): Promise<R> {
    const session = await this.#need().session();
    return session.work(() => ask(session));
  }

  /** A query that goes on answering, whoever changes the records, also in other tabs. */
  live(asked: Query<T> = {}): Live<T[]> {
    return this.#live((session) => this.#query(session, asked));
  }

  liveCount(asked: Pick<Query<T>, "filter"> = {}): Live<number> {
    return this.#live((session) => this.#count(session, asked));
  }

  liveGet(id: string): Live<T | undefined> {
    return this.#live(async ({ db }) => (await get(db, this.name, id)) as T | undefined);
  }

  async #query({ db }: Session, asked: Query<T>): Promise<T[]> {
    const found = await query(db, this.name, asked as Asked, this.indexes);
    return found as (Shown & T)[];
  }

  #count({ db }: Session, { filter }: Pick<Query<T>, "filter">): Promise<number> {
    return count(db, this.name, filter as Asked["filter"], this.indexes);
  }

  #live<R>(ask: (session: Session) => Promise<R>): Live<R> {
    return liveOf(() => this.#need(), ask);
  }

  #need(): Home {
    if (!this.#home)
      throw new SynclineError("collection_unknown", `${this.name} was given to no store`);
    return this.#home;
  }
}

/** Names a collection. Give it to `createLocalStore`. Errors: `value_invalid`. */
export function createLocalCollection<T extends Identified>(
  options: CollectionOptions<T>,
): LocalCollection<T> {
  return new LocalCollection(options);
}
