/**
 * An open account, or the guest: its database, what waits in it, and its part in syncing. A store
 * has one at a time.
 */
import { Awaited, discarded } from "./awaited.js";
import { closed, RejectedError, SynclineError } from "./core/errors.js";
import type { JsonObject } from "./core/json.js";
import type { OwnEphemeral } from "./core/wire.js";
import { Loss } from "./loss.js";
import { Pending } from "./pending.js";
import { databaseName, type Database, type Lost } from "./storage/database.js";
import { formersOf } from "./storage/former.js";
import { Reopening } from "./reopening.js";
import { endStay, isOfDatabase, openDatabase, toSyncline } from "./storage/open.js";
import { undecided, write, type Edit } from "./storage/outbox.js";
import { hear, lastPlace, markedPlace } from "./storage/places.js";
import { plant, type Seed } from "./storage/seeds.js";
import type * as Salvaging from "./storage/salvage.js";
import { remained, type Made, type Remains, type Verdict } from "./storage/verdicts.js";
import { watch } from "./storage/watch.js";
import { loaded, part, type Surroundings } from "./surroundings.js";
import { RESTING, type Activity } from "./sync/activity.js";
import type { EngineOptions } from "./sync/engine.js";
import type { EphemeralState } from "./sync/ephemeral.js";
import { Syncing } from "./syncing.js";
import { Until } from "./until.js";

interface SessionOptions {
  appId: string;
  /** `null` is the guest, who syncs with nobody. */
  engine: Omit<EngineOptions, "app"> | null;
  /** Fields by which collections are searched. */
  indexes: readonly string[];
  /** What a space begins with that nobody has written to. */
  seeds: Seed[];
  around: Surroundings;
  /** Whether what is written may be sent now. */
  mayPush(): boolean;
  /** The store was closed. */
  ended: AbortSignal;
}

/** What a session calls. */
interface SessionEvents {
  /** Its activity or what waits may have changed. */
  changed(): void;
  /** Another tab has signed the account out and deleted what this device held. */
  signedOut(): void;
  /** Another tab could not open this database and has begun one in the next place. */
  isBehind(): void;
  /** The browser closed the database under the session, which has stopped. `open`: it is open again. */
  reopening(session: Session, open: Promise<void>): void;
}

/** The session that has what one's database held, and what that tells of the rest. */
interface Successor {
  session: Session;
  remains: Remains;
}

/** What became of a mutation that the hub has taken. */
type Judged = "applied" | "superseded";

/** Looks at a record as an edit would leave it, and throws if it may not be so. */
type Check = (edit: Edit, after: JsonObject | null) => void;

export class Session {
  readonly db: Database;
  readonly options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #syncing: Syncing;
  readonly #pending = new Pending();
  readonly #verdicts: Awaited;
  readonly #until: Until;
  readonly #loss = new Loss();
  readonly #ended = new AbortController();
  readonly #reopening: Reopening;
  /** It is to sync, also once it is open again. */
  #isStarted = false;
  /** This tab is ending the account's stay. */
  #leaving = false;
  /** Whether to plant seeds has been decided. */
  #planted = false;
  #unwatch: () => void;
  readonly #unhear: () => void;
  #successor: Successor | undefined;

  static async open(options: SessionOptions, events: SessionEvents): Promise<Session> {
    const name = databaseName(options.appId, options.engine?.auth.account ?? null);
    const db = await openDatabase(name, options.indexes, options.around);
    try {
      if (!options.engine) await plant(db, options.seeds);
      const [lost, formers] = await Promise.all([db.read("lost"), formersOf(db)]);
      const session = new Session(db, options, events);
      session.#loss.looked(session.#loss.turn, lost);
      if (formers.length > 0) void session.#salvageSoon().catch(() => {});
      return session;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  private constructor(db: Database, options: SessionOptions, events: SessionEvents) {
    const { appId, engine, around } = options;
    this.db = db;
    this.options = options;
    this.#events = events;
    this.#syncing = new Syncing(db, engine && { ...engine, app: appId }, around, {
      told: (activity) => void this.#plantIfEmpty(activity).catch(() => (this.#planted = false)),
      changed: () => this.#changed(),
      mayPush: () => options.mayPush(),
    });
    this.#until = new Until(db);
    this.#verdicts = new Awaited(db, {
      work: (work) => this.#reopening.work(work),
      begins: () => this.#pending.begins(),
      looked: (turn, looked) => {
        if (this.#pending.looked(turn, looked)) this.#changed();
      },
      isPassing: () => this.isReopening && !this.isClosed,
    });
    const seeds = engine ? [] : options.seeds;
    const { signal: ended } = this.#ended;
    this.#reopening = new Reopening(
      { db, seeds, around, ended },
      {
        isBehind: () => this.isBehind(),
        closed: (open) => {
          this.#syncing.stop();
          events.reopening(this, open);
        },
        behind: () => events.isBehind(),
        failed: (error) => this.#syncing.shows({ ...RESTING, error }),
        opened: () => this.#lookAnew(),
        done: () => this.#goOn(),
      },
    );
    this.#unwatch = this.#watch();
    this.#unhear = hear(db.asked, around, () => void this.#lookForNext());
  }

  /**
   * Makes again what can be read again of databases whose place this one took. Errors: `unreachable`.
   */
  async salvage(): Promise<void> {
    if ((await formersOf(this.db)).length > 0)
      await this.#salvage(await part(salvaging, this.#ended.signal));
  }

  async #salvageSoon(): Promise<void> {
    await this.#salvage(await loaded(salvaging, this.options.around, this.#ended.signal));
  }

  async #salvage({ salvage }: typeof Salvaging): Promise<void> {
    if (!this.isClosed && (await salvage(this.db, this.options.around))) this.wrote();
  }

  /** Whether another tab could not open this database, and has begun one in the next place. */
  async isBehind(): Promise<boolean> {
    return (await lastPlace(this.db.asked, this.options.around)) > this.db.place;
  }

  async #lookForNext(): Promise<void> {
    if (!this.isClosed && (await this.isBehind())) this.#events.isBehind();
  }

  #watch(): () => void {
    return watch(this.db, ["outbox", "sent", "settled", "rejected", "local"], () => this.#look());
  }

  /** Counts what waits. True if it has to be looked at again: something was written meanwhile. */
  async #look(): Promise<boolean> {
    const { db } = this;
    const turn = this.#pending.begins();
    const told = this.#loss.turn;
    const { outbox, sent, local } = db;
    const [pending, { stay }, lost, [last = -Infinity]] = await db.transaction(
      "r",
      [outbox, sent, local],
      async () =>
        Promise.all([
          undecided(db),
          db.read("here"),
          db.read("lost"),
          outbox.orderBy("n").reverse().limit(1).primaryKeys(),
        ]),
    );
    // What waits may have been counted by a later look, which does not see the rest.
    const isLast = this.#pending.looked(turn, { pending, last });
    this.#loss.looked(told, lost);
    this.#changed();
    // A tab in a former place goes on to the last one, and learns there of a sign-out.
    if (markedPlace(db.asked, this.options.around) > db.place) this.#events.isBehind();
    // An evicted one has none until it is open again.
    else if (stay !== "" && stay !== db.stay && !this.#leaving && !this.isReopening)
      this.#events.signedOut();
    return isLast && this.#pending.isBehind;
  }

  get account(): string | null {
    return this.options.engine?.auth.account ?? null;
  }

  get activity(): Activity {
    const { activity } = this.#syncing;
    return { ...activity, error: activity.error ?? this.#loss.error };
  }

  get ephemeral(): EphemeralState {
    return this.#syncing.ephemeral;
  }

  /** What was lost with another database is this account's loss. */
  async tellLost(lost: Lost): Promise<void> {
    await this.#loss.set(lost, (kept) => this.work(() => this.db.keep("lost", kept)));
  }

  /** That the database was lost has been seen. Resolves when every tab knows, also later ones. */
  async acknowledge(): Promise<void> {
    const kept = this.tellLost("");
    this.#changed();
    await kept;
  }

  /** The browser closed the database, and it is not open again. */
  get isReopening(): boolean {
    return this.#reopening.isUnderWay;
  }

  get isClosed(): boolean {
    return this.#ended.signal.aborted;
  }

  get pending(): number {
    return this.#pending.count;
  }

  /** Begins to sync, in whichever tab leads. */
  start(): void {
    this.#isStarted = true;
    if (!this.isClosed && !this.isReopening) this.#syncing.start(this.#ended.signal);
  }

  stop(): void {
    this.#isStarted = false;
    this.#syncing.stop();
  }

  /** Has something passed on by the tab that leads. */
  tell(message: OwnEphemeral): void {
    this.#syncing.tell(message);
  }

  /** Stops and closes the database. */
  close(): void {
    if (this.isClosed) return;
    this.#ended.abort();
    this.stop();
    this.#unwatch();
    this.#unhear();
    this.db.close();
    this.#verdicts.end(closed());
    this.#changed();
  }

  /** Closes it; what becomes of its mutations is told by the session that has them now. */
  closeFor(session: Session, remains: Remains): void {
    this.#successor = { session, remains };
    this.close();
  }

  /**
   * Deletes what this device holds of the account, and closes. With `onlyIfSent` nothing may be
   * left that the hub has not taken. True if it is done. Errors: `unreachable`, those of databases.
   */
  async leave(how: { onlyIfSent: boolean }): Promise<boolean> {
    const { db, options } = this;
    this.#leaving = true;
    try {
      if (await this.#endFormers(how)) return false;
      if (!(await this.#reopening.work(() => endStay(db, options.around, how)))) return false;
    } catch (error) {
      // Another tab was faster.
      if ((error as Partial<SynclineError>).code !== "signed_out") throw toSyncline(error);
    } finally {
      this.#leaving = false;
    }
    this.close();
    return true;
  }

  /**
   * What a tab has written in a place before this one goes along. True if there was something to be
   * sent. Errors: `unreachable`, and those of salvage's `endFormers`.
   */
  async #endFormers({ onlyIfSent }: { onlyIfSent: boolean }): Promise<boolean> {
    const { db, options } = this;
    if ((await formersOf(db)).length === 0) return false;
    let isAny = false;
    try {
      const { endFormers } = await part(salvaging, this.#ended.signal);
      await endFormers(db, options.around, () => {
        isAny = onlyIfSent;
        if (isAny) this.wrote();
      });
    } catch (error) {
      // What is given up can be given up without it.
      if (onlyIfSent) throw error;
    }
    return isAny;
  }

  /**
   * Does something with the database, again if the browser closed it meanwhile. Errors: `stopped`,
   * and those of the database as ones that an app can act on.
   */
  async work<T>(work: () => Promise<T>): Promise<T> {
    return this.#reopening.work(work).catch((error: unknown) => {
      throw this.toSyncline(error);
    });
  }

  /** An error of its database as one that an app can act on. What the app itself threw stays that. */
  toSyncline(error: unknown): unknown {
    if (this.isClosed && !(error instanceof SynclineError)) return closed(error);
    return isOfDatabase(error) ? toSyncline(error) : error;
  }

  /** Writes a mutation, durably and at once. */
  async write(edits: Edit[], check?: Check): Promise<Made> {
    const { db, options } = this;
    const now = options.around.now();
    const made = await this.work(() => write(db, edits, now, check));
    if (this.#pending.wrote(made.n)) this.#events.changed();
    this.wrote();
    return made;
  }

  /** The outbox has something new. */
  wrote(): void {
    this.#syncing.wrote();
  }

  /** Resolves when the hub has judged the mutation. Errors: `RejectedError`, `stopped`. */
  async verdict(made: Made): Promise<Judged> {
    const found = await this.#verdictOf(made);
    return "session" in found ? this.#verdictIn(found, made) : this.#judged(found, made);
  }

  /** The session that has to tell, once there is one. */
  async #verdictOf(made: Made): Promise<Verdict | Successor> {
    if (this.#successor) return this.#successor;
    if (this.isClosed) throw closed();
    return this.#verdicts.of(made).catch((error: unknown) => {
      if (this.#successor) return this.#successor;
      throw this.toSyncline(error);
    });
  }

  async #judged(found: Verdict, made: Made): Promise<Judged> {
    if (found.status === "rejected") throw new RejectedError(found.code, found.message, found.n);
    if (found.status === "moved") return this.verdict({ n: found.to as number, stay: made.stay });
    if (found.status === "discarded") throw discarded();
    if (found.status === "forgotten")
      throw new SynclineError("stopped", "what became of the write is not known any more");
    if (found.status !== "away") return found.status;
    return (await this.#following()).followInto(found.went, found.n, this.options);
  }

  async #verdictIn({ session, remains }: Successor, made: Made): Promise<Judged> {
    const { movedAs } = await this.#following();
    const there = await session.work(() => movedAs(session.db, remains.client.id, made.n));
    if (there !== undefined) return session.verdict({ n: there, stay: session.db.stay });
    return this.#judged(remained(made.n, remains), made);
  }

  #following() {
    const { around, ended } = this.options;
    return loaded(() => import("./follow.js"), around, ended);
  }

  /**
   * Resolves when everything that was written here is at the hub, and everything the hub has told
   * is shown. Errors: `stopped`.
   */
  async caughtUp(): Promise<void> {
    this.#syncing.hurry();
    await this.#holds(async () => {
      const turn = this.#pending.begins();
      const waiting = await this.db.outbox.count();
      if (waiting > 0 || !this.#syncing.isFilled) return null;
      if (this.#pending.looked(turn, { pending: 0, last: -Infinity })) this.#events.changed();
      return true;
    });
  }

  /** Resolves when everything the hub has told is shown. Errors: `stopped`. */
  async filled(): Promise<void> {
    await this.#holds(async () => this.#syncing.isFilled || null);
  }

  /** Waits for `look` to return something. Errors: `stopped`, and what `look` fails with. */
  #holds<T>(look: () => Promise<T | null>): Promise<T> {
    return this.#until.holds(async () => {
      if (this.isClosed) throw closed();
      const found = await this.#reopening.work(look).catch((error: unknown) => {
        // It is looked at again when the database is open.
        if (this.isReopening || this.isClosed) return null;
        throw toSyncline(error);
      });
      if (found === null && this.isClosed) throw closed();
      return found;
    });
  }

  #changed(): void {
    this.#until.changed();
    this.#events.changed();
  }

  /** The database is open again, or a new one is. */
  async #lookAnew(): Promise<void> {
    this.#loss.looked(this.#loss.turn, await this.db.read("lost"));
    // A new one counts from the start.
    this.#pending.restart();
    this.#syncing.shows(RESTING);
  }

  #goOn(): void {
    // What watches a database does not see that another one has taken its place.
    this.#unwatch();
    this.#unwatch = this.#watch();
    this.#verdicts.restart();
    if (this.#isStarted) this.start();
  }

  async #plantIfEmpty({ complete }: Activity): Promise<void> {
    if (!complete || this.#planted || this.options.seeds.length === 0) return;
    this.#planted = true;
    const { cursor } = await this.db.read("replica");
    if (cursor?.seq === 0 && (await plant(this.db, this.options.seeds))) this.wrote();
  }
}

const salvaging = () => import("./storage/salvage.js");
