/**
 * An open account, or the guest: its database, the tabs that share it, and in the tab that leads
 * the engine that syncs it. A store has one at a time.
 */
import { liveQuery } from "dexie";
import { backoff } from "./core/backoff";
import { RejectedError, SynclineError } from "./core/errors";
import type { JsonObject } from "./core/json";
import type { OwnEphemeral } from "./core/wire";
import { databaseName, type Database } from "./storage/database";
import { begin, endStay, openDatabase, toSyncline, unlessCutOff } from "./storage/open";
import { undecided, write, type Edit } from "./storage/outbox";
import { plant, type Seed } from "./storage/seeds";
import { watch } from "./storage/watch";
import { loaded, type Surroundings } from "./surroundings";
import { EphemeralState } from "./sync/ephemeral";
import { RESTING, type Activity } from "./sync/activity";
import type { Engine, EngineOptions } from "./sync/engine";
import { Tabs, type TabMessage } from "./sync/leader";

export interface SessionOptions {
  appId: string;
  /** `null` is the guest, who syncs with nobody. */
  engine: Omit<EngineOptions, "app"> | null;
  /** Fields by which collections are searched. */
  indexes: readonly string[];
  /** What a space begins with that nobody has written to. */
  seeds: Seed[];
  around: Surroundings;
}

/** What a session calls. */
export interface SessionEvents {
  /** Its activity or what waits may have changed. */
  changed(): void;
  /** Another tab has signed the account out and deleted what this device held. */
  signedOut(): void;
  /** The browser closed the database under the session, which has stopped. `open`: it is open again. */
  reopening(session: Session, open: Promise<void>): void;
}

/** The waits between tries to open a database again grow no more after so many: to 4 s at most. */
const REOPEN_BACKOFF_MAX = 3;

/** Looks at a record as an edit would leave it, and throws if it may not be so. */
export type Check = (edit: Edit, after: JsonObject | null) => void;

export class Session {
  readonly db: Database;
  readonly options: SessionOptions;
  readonly ephemeral = new EphemeralState();
  readonly #events: SessionEvents;
  #activity: Activity = RESTING;
  #pending = 0;
  #lost: boolean;
  #engine: Engine | null = null;
  #tabs: Tabs | null = null;
  #closed = false;
  /** The browser closed the database, and it is not open again. */
  isReopening = false;
  /** This tab is ending the account's stay. */
  #leaving = false;
  /** Whether to plant seeds has been decided. */
  #planted = false;
  #unwatch: () => void;
  readonly #waiting = new Set<() => void>();

  static async open(options: SessionOptions, events: SessionEvents): Promise<Session> {
    const name = databaseName(options.appId, options.engine?.auth.account ?? null);
    const { db, lost } = await openDatabase(name, options.indexes, options.around);
    const session = new Session(db, options, lost, events);
    if (!options.engine) await plant(db, options.seeds);
    return session;
  }

  private constructor(db: Database, options: SessionOptions, lost: boolean, events: SessionEvents) {
    this.db = db;
    this.options = options;
    this.#lost = lost;
    this.#events = events;
    db.on("close", () => this.#reopen());
    this.#unwatch = this.#watch();
  }

  #watch(): () => void {
    const { db } = this;
    return watch(db, ["outbox", "sent", "local"], async () => {
      const [pending, { stay }] = await db.transaction(
        "r",
        db.outbox,
        db.sent,
        db.local,
        async () => Promise.all([undecided(db), db.read("here")]),
      );
      this.#pending = pending;
      this.#changed();
      // An evicted one has none until it is open again.
      if (stay !== "" && stay !== db.stay && !this.#leaving) this.#events.signedOut();
    });
  }

  get account(): string | null {
    return this.options.engine?.auth.account ?? null;
  }

  get activity(): Activity {
    if (!this.#lost || this.#activity.error) return this.#activity;
    const message = "the browser has evicted or damaged the database; unsent edits are gone";
    return { ...this.#activity, error: { code: "storage_lost", message } };
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Begins to sync, in whichever tab leads. */
  start(): void {
    const { engine, appId, around } = this.options;
    if (!engine || this.#tabs) return;
    const { db } = this;
    const tabs: Tabs = (this.#tabs = new Tabs(db.name, around, {
      lead: () => void this.#lead(tabs, { ...engine, app: appId }),
      yield: () => this.#engine?.stop(),
      heard: (message) => this.#heard(message),
    }));
    this.#tabs.start();
    this.#tabs.say({ t: "hurry" });
    void around.storage?.persist?.().catch(() => false);
  }

  /** Talks to the hub. The part of the SDK that does is loaded by who needs it. */
  async #lead(tabs: Tabs, options: EngineOptions): Promise<void> {
    const part = await loaded(() => import("./sync/engine"), this.options.around);
    // It may have been stopped meanwhile, and even started again.
    if (this.#tabs !== tabs) return;
    this.#engine ??= this.#newEngine(part.Engine, options);
    if (!tabs.leads) return;
    this.#engine.start();
    this.#sayPresent();
  }

  #newEngine(Made: typeof Engine, options: EngineOptions): Engine {
    return new Made(this.db, options, this.options.around, {
      activity: (activity) => {
        this.#tabs?.say({ t: "activity", activity });
        void this.#plantIfEmpty(activity);
        this.#now(activity);
      },
      ephemeral: (told) => {
        if (told) {
          this.ephemeral.take(told);
          this.#tabs?.say({ t: "told", told });
        } else {
          this.ephemeral.exchange();
          this.#sayPresent();
        }
      },
      presence: () => this.ephemeral.own,
    });
  }

  stop(): void {
    this.#engine?.stop();
    this.#tabs?.stop();
    this.#engine = null;
    this.#tabs = null;
    this.#now(RESTING);
  }

  /** Has something passed on by the tab that leads. */
  tell(message: OwnEphemeral): void {
    if (message.t === "presence") this.ephemeral.own = message.state;
    this.#tabs?.say({ t: "own", message });
    if (this.#tabs?.leads) this.#engine?.pass(message);
  }

  #sayPresent(): void {
    const { own, others } = this.ephemeral;
    this.#tabs?.say({ t: "present", own, others: [...others] });
  }

  /** Stops and closes the database. */
  close(): void {
    this.#closed = true;
    this.stop();
    this.#unwatch();
    this.db.close();
    this.#changed();
  }

  /**
   * Deletes what this device holds of the account, and closes. With `onlyIfSent` nothing may be
   * left that the hub has not taken. True if it is done.
   */
  async leave(how: { onlyIfSent: boolean }): Promise<boolean> {
    this.#leaving = true;
    try {
      if (!(await endStay(this.db, this.options.around, how))) return false;
    } catch (error) {
      // Another tab was faster.
      if ((error as Partial<SynclineError>).code !== "signed_out") throw toSyncline(error);
    } finally {
      this.#leaving = false;
    }
    this.close();
    return true;
  }

  /** Writes a mutation, durably and at once. Returns its `n`. */
  async write(edits: Edit[], check?: Check): Promise<number> {
    const { db, options } = this;
    const now = options.around.now();
    const once = () => write(db, edits, now, check);
    const n = await unlessCutOff(db, once).catch((error: unknown) => {
      if (this.#closed && !(error instanceof SynclineError))
        throw new SynclineError("stopped", "the store was closed", { cause: error });
      throw toSyncline(error);
    });
    this.wrote();
    return n;
  }

  /** The outbox has something new. */
  wrote(): void {
    if (this.#tabs?.leads) this.#engine?.wrote();
    else this.#tabs?.say({ t: "wrote" });
  }

  /** Resolves when the hub has judged the mutation. Errors: `RejectedError`, `stopped`. */
  async verdict(n: number): Promise<"applied" | "superseded"> {
    const look = async () => {
      const settled = await this.db.settled.get(n);
      if (settled) return settled.status;
      const rejected = await this.db.rejected.get(n);
      if (rejected) throw new RejectedError(rejected.code, rejected.message, n);
      return (await this.db.outbox.get(n)) ? null : "discarded";
    };
    const { outbox, settled, rejected } = this.db;
    const status = await this.#until(() =>
      this.db.transaction("r", outbox, settled, rejected, look),
    );
    if (status === "discarded") throw new SynclineError("stopped", "the write was discarded");
    return status;
  }

  /**
   * Resolves when everything that was written here is at the hub, and everything the hub has told
   * is shown. Errors: `stopped`.
   */
  async caughtUp(): Promise<void> {
    this.#hurry();
    await this.#until(async () => {
      const waiting = await this.db.outbox.count();
      return waiting === 0 && this.#activity.online && this.#activity.complete ? true : null;
    });
  }

  /** Waits for `look` to return something, looking again whenever anything changes. */
  async #until<T>(look: () => Promise<T | null>): Promise<T> {
    const { outbox, settled } = this.db;
    const counts = () => Promise.all([outbox.count(), settled.count()]);
    const changes = liveQuery(counts).subscribe({
      next: () => this.#changed(),
      error: () => {},
    });
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => this.#waiting.add(resolve));
        if (this.#closed) throw new SynclineError("stopped", "the store was closed");
        const found = await look();
        if (found !== null) return found;
        await changed;
      }
    } finally {
      changes.unsubscribe();
    }
  }

  #hurry(): void {
    if (this.#tabs?.leads) this.#engine?.hurry();
    else this.#tabs?.say({ t: "hurry" });
  }

  #heard(message: TabMessage): void {
    if (message.t === "activity" && !this.#tabs?.leads) this.#now(message.activity as Activity);
    if (message.t === "wrote") this.#engine?.wrote();
    if (message.t === "told") this.ephemeral.take(message.told);
    if (message.t === "own") {
      if (message.message.t === "presence") this.ephemeral.own = message.message.state;
      if (this.#tabs?.leads) this.#engine?.pass(message.message);
    }
    if (message.t === "present" && !this.#tabs?.leads) {
      // A leader that came later than what this tab shows does not know it.
      const { own } = this.ephemeral;
      if (message.own !== null) this.ephemeral.own = message.own;
      else if (own !== null) this.tell({ t: "presence", state: own });
      this.ephemeral.exchange(message.others);
    }
    if (message.t === "hurry" && this.#tabs?.leads) {
      this.#engine?.hurry();
      this.#tabs.say({ t: "activity", activity: this.#activity });
      this.#sayPresent();
    }
  }

  #now(activity: Activity): void {
    this.#activity = activity;
    this.#changed();
  }

  #changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
    this.#events.changed();
  }

  /** The browser closed the database: it was evicted, or the user cleared it. */
  #reopen(): void {
    if (this.#closed || this.isReopening) return;
    this.isReopening = true;
    this.stop();
    this.#events.reopening(this, this.#openAgain());
  }

  async #openAgain(): Promise<void> {
    const { random } = this.options.around;
    for (let tries = 1; !this.#closed && !(await this.#isOpenAgain()); tries++) {
      const wait = backoff(Math.min(tries, REOPEN_BACKOFF_MAX), random());
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    this.isReopening = false;
    if (this.#closed) return;
    // What watches a database does not see that another one has taken its place.
    this.#unwatch();
    this.#unwatch = this.#watch();
  }

  /** False with an error to be shown, such as that of a browser that is still deleting. */
  async #isOpenAgain(): Promise<boolean> {
    const { db, options } = this;
    try {
      // It may be closed at this moment, and not yet open to be opened.
      await Promise.resolve();
      await db.open();
      this.#lost = (await begin(db, options.around)) || this.#lost;
      this.#now(RESTING);
      return true;
    } catch (error) {
      const { code, message } = toSyncline(error) as SynclineError;
      this.#now({ ...RESTING, error: { code, message } });
      return false;
    }
  }

  async #plantIfEmpty({ complete }: Activity): Promise<void> {
    if (!complete || this.#planted || this.options.seeds.length === 0) return;
    this.#planted = true;
    const { cursor } = await this.db.read("replica");
    if (cursor?.seq === 0 && (await plant(this.db, this.options.seeds))) this.wrote();
  }
}
