/**
 * The tab that talks to the hub. What it writes has an effect only while the database names it: a
 * tab that was frozen, replaced and wakes does nothing any more.
 */
import { uuid } from "../core/uuid.js";
import type { Table } from "dexie";
import type { Database } from "./database.js";

/** Another tab leads now. */
export class Fenced extends Error {}

export class Lead {
  readonly #db: Database;
  readonly #id = uuid();

  constructor(db: Database) {
    this.#db = db;
  }

  /** Takes the lead, and does `work` in that transaction. Errors: `signed_out`. */
  take<T>(work: () => Promise<T>): Promise<T> {
    return this.#db.everything(async () => {
      await this.#db.keep("leader", this.#id);
      return work();
    });
  }

  /** A transaction over these tables and `meta`. Errors: `Fenced`, also after a sign-out. */
  async over<T>(tables: Table[], work: () => Promise<T>): Promise<T> {
    const { meta } = this.#db;
    // Dexie keeps the transaction open for functions that it sees to be async.
    const both = async () => Promise.all([this.#check(), work()]);
    return (await this.#db.transaction("rw", [...new Set([meta, ...tables])], both))[1];
  }

  /** A transaction over everything. */
  everything<T>(work: () => Promise<T>): Promise<T> {
    return this.over(this.#db.tables, work);
  }

  /** Whether the database still names it. */
  async isHeld(): Promise<boolean> {
    return (await this.#db.read("leader")) === this.#id;
  }

  async #check(): Promise<void> {
    if (!(await this.isHeld())) throw new Fenced();
  }
}
