/** The store: the collections of an app on this device, for one account or a guest. */
import type { Home, Identified, LocalCollection, Write } from "./collection";
import { SynclineError } from "./core/errors";
import { toJson, type JsonObject } from "./core/json";
import { Deadline } from "./deadline";
import { Ephemeral } from "./ephemeral";
import type { GuestChoice } from "./guest";
import type { Inspection } from "./inspect";
import { RejectedWrites } from "./rejected";
import { Session } from "./session";
import { statusOf, type Status, type SyncStatus } from "./status";
import type { Edit } from "./storage/outbox";
import { surroundings, type Surroundings } from "./surroundings";
import type { Activity } from "./sync/activity";
import type { Auth } from "./sync/tokens";

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
  /** Default true: syncs as soon as there is an account. */
  autoSync?: boolean;
  /** What takes the place of the browser's own, for tests and outside browsers. */
  surroundings?: Partial<Surroundings>;
}

/** What to do about unsent writes when signing out. */
export type UnsyncedChoice = "push" | "keep" | "discard";

export class LocalStore {
  /** Writes the hub refused for good. */
  readonly rejected: RejectedWrites;
  /** What is told to who is connected, and kept by nobody. */
  readonly ephemeral: Ephemeral;
  readonly #options: StoreOptions;
  readonly #around: Surroundings;
  readonly #byName: Map<string, LocalCollection<Identified>>;
  readonly #listeners = new Set<(status: Status) => void>();
  readonly #sessionCalls = new Set<(session: Session) => void>();
  #session: Session | undefined;
  /** The session to come, while one is opened or exchanged: writes wait for it. */
  #opening: Promise<Session>;
  #syncs: boolean;
  #openError: Activity["error"] = null;
  #last = "";

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#around = surroundings(options.surroundings);
    this.#byName = new Map(options.collections.map((one) => [one.name, one]));
    this.#syncs = options.autoSync ?? true;
    const home: Home = {
      session: () => this.#opening,
      eachSession: (call) => this.#eachSession(call),
      write: (edits) => this.write(edits),
    };
    for (const collection of options.collections) collection.attach(home);
    this.ephemeral = new Ephemeral(home);
    this.rejected = new RejectedWrites(home, () => this.#around.now());
    this.#opening = this.#exchange(() => this.#open(options.auth ?? null));
    // Told by the status, and to whoever waits for it.
    this.#opening.catch(() => {});
  }

  /** Resolves when the database is open. Errors: `quota`, `storage`. */
  async ready(): Promise<void> {
    await this.#opening;
  }

  /** The account, or `null` for a guest. */
  get account(): string | null {
    return this.#session?.account ?? null;
  }

  get syncStatus(): SyncStatus {
    return this.status.status;
  }

  /** Writes the hub has not judged. */
  get pendingChanges(): number {
    return this.#session?.pending ?? 0;
  }

  get status(): Status {
    const { activity, pending } = this.#session ?? { activity: undefined, pending: 0 };
    const error = this.#openError ?? activity?.error ?? null;
    const bootstrap = activity?.bootstrap ?? null;
    const { account } = this;
    return { status: statusOf(activity, pending, error), account, pending, error, bootstrap };
  }

  /** Calls back now and whenever the status changes. Returns what ends it. */
  onStatus(call: (status: Status) => void): () => void {
    this.#listeners.add(call);
    call(this.status);
    return () => this.#listeners.delete(call);
  }

  /** Looks inside, for a debug panel; the part of the SDK that does is loaded then. */
  async inspect(): Promise<Inspection> {
    const [{ inspect }, session] = await Promise.all([import("./inspect"), this.#opening]);
    return inspect(session, this.#around.now());
  }

  startSync(): void {
    this.#syncs = true;
    this.#session?.start();
  }

  /** Everything goes on working without the hub. */
  stopSync(): void {
    this.#syncs = false;
    this.#session?.stop();
  }

  /**
   * Resolves when everything written here is at the hub and everything the hub has told is shown.
   * It waits for as long as there is no connection. Errors: `stopped`.
   */
  async caughtUp(): Promise<void> {
    return (await this.#opening).caughtUp();
  }

  /**
   * Does several edits at once: no other device ever sees only some of them.
   *
   *     await store.write([tasks.edits.delete("k1"), lists.edits.update("l1", { tasks: 3 })]);
   *
   * Its `id` is that of the first record. Errors: those of the edits, `collection_unknown`,
   * `mutation_too_large`, `quota`.
   */
  async write(edits: Edit[]): Promise<Write> {
    const session = await this.#opening;
    for (const { table } of edits) this.#collection(table);
    const n = await session.write(edits, (edit, after) => {
      if (after) this.#collection(edit.table).check(edit.id, after);
    });
    return { id: edits[0]?.id ?? "", synced: () => session.verdict(n) };
  }

  /** Turns a guest into an account. Errors: `signed_in`, `stopped`, and those of opening. */
  async signIn(auth: Auth, guest: GuestChoice = "merge"): Promise<void> {
    const before = await this.#opening;
    if (before.account !== null)
      throw new SynclineError("signed_in", "sign out before signing in as somebody else");
    this.#opening = this.#exchange(async () => {
      const account = await this.#open(auth);
      if (guest === "keep-local") account.start();
      const { moveIn } = await import("./guest");
      await moveIn(before, account, guest);
      return account;
    }, before);
    await this.#opening;
  }

  /**
   * Turns the account into a new guest. `push` sends what is unsent, waiting up to `within`
   * milliseconds, and fails with `unsynced` if that was not enough or refused writes wait for a
   * decision; then, as with `discard`, what this device held is deleted, and the account's other
   * tabs become the guest's too. `keep` leaves it for the account's next sign-in, and them alone.
   */
  async signOut({
    unsynced,
    within = 30_000,
  }: {
    unsynced: UnsyncedChoice;
    within?: number;
  }): Promise<void> {
    const before = await this.#opening;
    if (before.account === null) return;
    if (unsynced === "keep") before.close();
    else if (unsynced === "discard") await before.leave({ onlyIfSent: false });
    else await this.#leaveSent(before, within);
    await this.#becomeGuest(before);
  }

  /** Sends what is unsent and leaves when there is nothing more, whoever writes meanwhile. */
  async #leaveSent(session: Session, within: number): Promise<void> {
    const late = new Deadline(within);
    try {
      while (!(await session.leave({ onlyIfSent: true }))) {
        session.start();
        await late.before(session.caughtUp());
        if ((await session.db.rejected.count()) > 0)
          throw new SynclineError("unsynced", "refused writes wait for a decision");
      }
    } catch (error) {
      if (!this.#syncs) session.stop();
      throw error;
    } finally {
      late.clear();
    }
  }

  async #becomeGuest(before: Session): Promise<void> {
    if (this.#session !== before) return;
    this.#opening = this.#exchange(() => {
      if (!before.isClosed) before.close();
      return this.#open(null);
    }, before);
    await this.#opening;
  }

  /** Ends everything; what was written stays. */
  async close(): Promise<void> {
    const session = this.#session?.isReopening ? this.#session : await this.#opening;
    session.close();
    this.#listeners.clear();
    this.#sessionCalls.clear();
  }

  #collection(name: string): LocalCollection<Identified> {
    const collection = this.#byName.get(name);
    if (!collection)
      throw new SynclineError("collection_unknown", `${name} was not given to the store`);
    return collection;
  }

  /** Opens another session and has everybody use it; if that fails, `before` stays. */
  async #exchange(open: () => Promise<Session>, before?: Session): Promise<Session> {
    try {
      const session = await open();
      this.#openError = null;
      this.#session = session;
      if (this.#syncs) session.start();
      for (const call of this.#sessionCalls) call(session);
      this.#tell();
      return session;
    } catch (error) {
      if (before) this.#opening = this.#back(before);
      const { code = "storage", message = String(error) } = error as Partial<SynclineError>;
      this.#openError = before ? null : { code, message };
      this.#tell();
      throw error;
    }
  }

  /** To the session before an exchange that failed, opened again if it was closed by then. */
  async #back(before: Session): Promise<Session> {
    if (!before.isClosed) return before;
    return this.#exchange(() => this.#open(before.options.engine?.auth ?? null));
  }

  #open(auth: Auth | null): Promise<Session> {
    const { appId, serverUrl, collections, tables, transport = "auto" } = this.#options;
    const least = (values: (number | undefined)[], otherwise: number) =>
      Math.min(...values.map((value) => value ?? otherwise), otherwise);
    const sync = collections.map((one) => one.options.sync ?? {});
    const engine = auth &&
      serverUrl !== undefined && {
        url: serverUrl.replace(/\/+$/, ""),
        auth,
        transport,
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
    const indexes = collections.flatMap((one) => one.options.indexes ?? []) as string[];
    const opening = Session.open(
      {
        appId,
        engine: engine || null,
        indexes: [...new Set(indexes)].sort(),
        seeds: collections.flatMap(seedsOf),
        around: this.#around,
      },
      {
        changed: () => this.#tell(),
        reopening: (session, open) => this.#reopening(session, open),
        // If that fails the status says why.
        signedOut: () => void opening.then((session) => this.#becomeGuest(session)).catch(() => {}),
      },
    );
    return opening;
  }

  /** Whatever is asked for meanwhile waits. */
  #reopening(session: Session, open: Promise<void>): void {
    if (this.#session !== session) return;
    this.#opening = Promise.all([this.#opening, open]).then(([current]) => {
      if (current !== session || session.isClosed) return current;
      for (const call of this.#sessionCalls) call(session);
      if (this.#syncs) session.start();
      return session;
    });
    this.#opening.catch(() => {});
  }

  #eachSession(call: (session: Session) => void): () => void {
    this.#sessionCalls.add(call);
    if (this.#session) call(this.#session);
    return () => this.#sessionCalls.delete(call);
  }

  /** Tells who listens, if there is news. */
  #tell(): void {
    const { status } = this;
    const text = JSON.stringify(status);
    if (text === this.#last) return;
    this.#last = text;
    for (const call of this.#listeners) call(status);
  }
}

function seedsOf(collection: LocalCollection<Identified>) {
  return (collection.options.seed ?? []).map(({ id, ...data }) => ({
    table: collection.name,
    id,
    data: toJson(data, `a seed of ${collection.name}`) as JsonObject,
  }));
}

/** Makes the store and opens its database; everything may be called at once. */
export function createLocalStore(options: StoreOptions): LocalStore {
  return new LocalStore(options);
}
