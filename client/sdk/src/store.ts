/** The store: the collections of an app on this device, for one account or a guest. */
import { Accounts, type UnsyncedChoice } from "./accounts.js";
import type { Home, Identified, LocalCollection, Write } from "./collection.js";
import { SynclineError } from "./core/errors.js";
import { callAll } from "./core/listeners.js";
import { checkName, toData } from "./core/json.js";
import { Current } from "./current.js";
import { Ephemeral } from "./ephemeral.js";
import type { GuestChoice } from "./guest.js";
import type { Inspection } from "./inspect.js";
import { RejectedWrites } from "./rejected.js";
import { Session } from "./session.js";
import { statusOf, type PastError, type Status, type SyncStatus } from "./status.js";
import type { Edit } from "./storage/outbox.js";
import { part, surroundings, type Surroundings } from "./surroundings.js";
import type { Activity } from "./sync/activity.js";
import type { Tracing } from "./sync/conversation.js";
import type { Auth } from "./sync/tokens.js";

export interface StoreOptions {
  /** The app, as the hub knows it. */
  appId: string;
  /** The hub's address, `https://sync.example.com`; none for an app that never syncs. */
  serverUrl?: string;
  // The collections of an app have different records.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  collections: LocalCollection<any>[];
  /** The account; `null` or none is a guest. */
  auth?: Auth | null;
  /** `declared` syncs only the tables of `collections`. Default `all`: another version of the app may know more. */
  tables?: "all" | "declared";
  /** Default `auto`: a WebSocket, or polling where none gets through. */
  transport?: "auto" | "websocket" | "http";
  /** How the app's own traces go on at the hub and on other devices. Default none. */
  trace?: Tracing;
  /** Default true: syncs as soon as there is an account. */
  autoSync?: boolean;
  /** What takes the place of the browser's own, for tests and outside browsers. */
  surroundings?: Partial<Surroundings>;
}

/** Errors of the status that are remembered. */
const ERRORS_MAX = 10;

export type { UnsyncedChoice };

interface SignOut {
  unsynced: UnsyncedChoice;
  within?: number;
}

export class LocalStore {
  /** Writes the hub refused for good. */
  readonly rejected: RejectedWrites;
  /** What is told to who is connected, and kept by nobody. */
  readonly ephemeral: Ephemeral;
  readonly #options: StoreOptions;
  readonly #around: Surroundings;
  readonly #byName = new Map<string, LocalCollection<Identified>>();
  readonly #listeners = new Set<(status: Status) => void>();
  readonly #current: Current;
  readonly #accounts: Accounts;
  #last = "";
  /** The error of the status when it was last told, and those there were. */
  #lastError = "null";
  #errors: readonly PastError[] = [];

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#around = surroundings(options.surroundings);
    for (const collection of options.collections) {
      const { name } = collection;
      if (this.#byName.has(name))
        throw new SynclineError("collection_duplicate", `two collections are called ${name}`);
      this.#byName.set(name, collection);
    }
    const current = new Current(options.autoSync ?? true, this.#around, () => this.#tell());
    this.#current = current;
    this.#accounts = new Accounts(current, (auth) => this.#open(auth));
    const home: Home = {
      session: () => current.opening,
      eachSession: (call) => current.each(call),
      write: (edits) => this.write(edits),
      known: (table) => void this.#collection(table),
      check: (table, id, data) => this.#byName.get(table)?.check(id, data),
      isClosed: () => current.ended.aborted,
    };
    // None of them is taken if one cannot be.
    for (const collection of options.collections) collection.checkFree();
    for (const collection of options.collections) collection.attach(home);
    this.ephemeral = new Ephemeral(home);
    this.rejected = new RejectedWrites(home, () => this.#around.now());
    void current.begin(() => this.#open(options.auth ?? null)).catch(() => {});
  }

  /** Resolves when the database is open. Errors: `quota`, `storage`. */
  async ready(): Promise<void> {
    await this.#current.opening;
  }

  /** The account, or `null` for a guest. */
  get account(): string | null {
    return this.#current.session?.account ?? null;
  }

  get syncStatus(): SyncStatus {
    return this.status.status;
  }

  /** Writes the hub has not judged. */
  get pendingChanges(): number {
    return this.#current.session?.pending ?? 0;
  }

  get status(): Status {
    const { activity, pending } = this.#current.session ?? { activity: undefined, pending: 0 };
    const error = this.#current.error ?? activity?.error ?? null;
    const bootstrap = activity?.bootstrap ?? null;
    const { account } = this;
    return { status: statusOf(activity, pending, error), account, pending, error, bootstrap };
  }

  /** The last errors of the status, the newest first; one that lasts is there once. */
  get errors(): readonly PastError[] {
    return this.#errors;
  }

  /** Calls back now and whenever the status changes. Returns what ends it. */
  onStatus(call: (status: Status) => void): () => void {
    this.#listeners.add(call);
    callAll([call], this.status);
    return () => this.#listeners.delete(call);
  }

  /**
   * Takes the error `storage_lost` as seen: it is told no more, here at once, and when this resolves
   * in no tab and after no reload.
   */
  async acknowledge(): Promise<void> {
    await this.#current.session?.acknowledge();
  }

  /** Looks inside, for a debug panel; the part of the SDK that does is loaded then. */
  async inspect(): Promise<Inspection> {
    const [{ inspect }, session] = await Promise.all([
      part(() => import("./inspect.js"), this.#current.ended),
      this.#current.opening,
    ]);
    return inspect(session, this.#around.now());
  }

  startSync(): void {
    this.#current.syncs = true;
    this.#current.session?.start();
  }

  /** Everything goes on working without the hub. */
  stopSync(): void {
    this.#current.syncs = false;
    this.#current.session?.stop();
  }

  /**
   * Resolves when everything written here is at the hub and everything the hub has told is shown.
   * It waits for as long as there is no connection. Errors: `stopped`.
   */
  async caughtUp(): Promise<void> {
    return (await this.#current.opening).caughtUp();
  }

  /**
   * Does several edits at once: no other device ever sees only some of them. A delete of what is not
   * here goes before the rest by itself, since the hub may not know it either.
   *
   *     await store.write([tasks.edits.delete("k1"), lists.edits.update("l1", { tasks: 3 })]);
   *
   * With `account` nothing is written once the store is another's, or a guest's. Its `id` is that of
   * the first record. Errors: those of the edits, `collection_unknown`, `mutation_too_large`, `quota`,
   * `signed_out`.
   */
  async write(edits: Edit[], { account }: { account?: string } = {}): Promise<Write> {
    if (edits.length === 0) throw new SynclineError("value_invalid", "a write has edits");
    const session = await this.#current.opening;
    if (account !== undefined && session.account !== account)
      throw new SynclineError("signed_out", `${account} is not signed in any more`);
    for (const { table } of edits) this.#collection(table);
    const made = await session.write(edits, (edit, after) => {
      if (after) this.#collection(edit.table).check(edit.id, after);
    });
    return { id: edits[0]?.id ?? "", synced: () => session.verdict(made) };
  }

  /**
   * Turns a guest into an account. `keep-local` waits for the hub, up to `within` milliseconds; until
   * then the guest goes on. Errors: `signed_in`, `unreachable`, `stopped`, and those of opening.
   */
  async signIn(
    auth: Auth,
    guest: GuestChoice = "merge",
    { within = 30_000 }: { within?: number } = {},
  ): Promise<void> {
    if (!["merge", "keep-server", "keep-local"].includes(guest))
      throw new SynclineError(
        "value_invalid",
        "a guest's choice is merge, keep-server or keep-local",
      );
    if (this.#options.serverUrl === undefined)
      throw new SynclineError("unreachable", "a store without serverUrl has no accounts");
    return this.#accounts.signIn(auth, guest, within);
  }

  /**
   * Turns the account into a new guest. `push` sends what is unsent, waiting up to `within`
   * milliseconds, and fails with `unsynced` if that was not enough or refused writes wait for a
   * decision; then, as with `discard`, what this device held is deleted, and the account's other
   * tabs become the guest's too. `keep` leaves it for the account's next sign-in, and them alone.
   */
  signOut({ unsynced, within = 30_000 }: SignOut): Promise<void> {
    return this.#accounts.signOut(unsynced, within);
  }

  /** Ends everything; what was written stays. Whatever is asked for afterwards fails with `stopped`. */
  async close(): Promise<void> {
    const ended = this.#current.close();
    await this.#accounts.close();
    await ended;
    this.#listeners.clear();
  }

  #collection(name: string): LocalCollection<Identified> {
    const collection = this.#byName.get(name);
    if (!collection)
      throw new SynclineError("collection_unknown", `${name} was not given to the store`);
    return collection;
  }

  #open(auth: Auth | null): Promise<Session> {
    const { appId, serverUrl, collections, tables, transport = "auto", trace } = this.#options;
    const [current, accounts] = [this.#current, this.#accounts];
    const least = (values: (number | undefined)[], otherwise: number) =>
      Math.min(...values.map((value) => value ?? otherwise), otherwise);
    const sync = collections.map((one) => one.options.sync ?? {});
    const engine = auth &&
      serverUrl !== undefined && {
        url: serverUrl.replace(/\/+$/, ""),
        auth,
        transport,
        trace,
        tables: tables === "declared" ? [...this.#byName.keys()].sort() : null,
        pushDebounce: least(
          sync.map((one) => one.pushDebounce),
          1_000,
        ),
        pullInterval: least(
          sync.map((one) => one.pullInterval),
          30_000,
        ),
      };
    const indexes = collections.flatMap((one) => one.indexes);
    const opening = Session.open(
      {
        appId,
        engine: engine || null,
        indexes: [...new Set(indexes)].sort(),
        seeds: collections.flatMap(seedsOf),
        around: this.#around,
        mayPush: () => current.syncs || accounts.sendsLast,
        ended: current.ended,
      },
      {
        changed: () => this.#tell(),
        reopening: (session, open) => current.reopening(session, open),
        // If one of these fails the status says why.
        signedOut: () =>
          void opening.then((session) => accounts.signedOut(session)).catch(() => {}),
        isBehind: () => void opening.then((session) => accounts.goOn(session)).catch(() => {}),
      },
    );
    return opening;
  }

  /** Tells who listens, if there is news. */
  #tell(): void {
    const { status } = this;
    const text = JSON.stringify(status);
    if (text === this.#last) return;
    this.#last = text;
    this.#remember(status.error);
    for (const call of [...this.#listeners]) {
      // One of them changed the status: the others have been told what it is now.
      if (this.#last !== text) return;
      if (this.#listeners.has(call)) callAll([call], status);
    }
  }

  #remember(error: Activity["error"]): void {
    const text = JSON.stringify(error);
    if (error && text !== this.#lastError)
      this.#errors = [{ ...error, at: this.#around.now() }, ...this.#errors].slice(0, ERRORS_MAX);
    this.#lastError = text;
  }
}

function seedsOf(collection: LocalCollection<Identified>) {
  return (collection.options.seed ?? []).map(({ id, ...data }) => ({
    table: collection.name,
    id: checkName(id),
    data: toData(data, `a seed of ${collection.name}`),
  }));
}

/** Makes the store and opens its database; everything may be called at once. */
export function createLocalStore(options: StoreOptions): LocalStore {
  return new LocalStore(options);
}
