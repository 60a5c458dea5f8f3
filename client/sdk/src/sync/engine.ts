/**
 * Talks to the hub for one database: says hello, takes what it tells, sends the outbox.
 *
 * The connection is its `Connector`'s, when to send its `Pusher`'s. What messages mean is in `core`,
 * and everything that is known is in the database. Each message is one transaction, which first looks whether this tab
 * still leads: what a frozen tab does when it wakes has no effect.
 */
import { backoff } from "../core/backoff";
import { ProtocolError, SynclineError } from "../core/errors";
import type { Json } from "../core/json";
import { hasForgotten } from "../core/outbox";
import {
  position,
  receive,
  restart,
  want,
  welcome,
  type Replica,
  type Step,
} from "../core/replica";
import type { Ephemeral, HubMessage, OwnEphemeral, Refused, Verdicts, Welcome } from "../core/wire";
import type { Database } from "../storage/database";
import { carryOut } from "../storage/incoming";
import { decide, nextPush, renumber } from "../storage/sending";
import { hubTime } from "../storage/stamps";
import type { Surroundings } from "../surroundings";
import { Pace } from "./ephemeral";
import { Connector, type Transport } from "./connector";
import { HttpLink } from "./http";
import type { Ended, Hello } from "./link";
import { Pusher } from "./pusher";
import { Tokens, Unreachable, type Auth } from "./tokens";

/** Connections in a row that broke by a protocol error, before the copy is taken anew. */
const BROKEN_MAX = 3;

export interface EngineOptions {
  app: string;
  url: string;
  auth: Auth;
  /** The tables to sync; `null` is all. */
  tables: string[] | null;
  /** Milliseconds from a write to its sending, and between two looks over HTTP. */
  pushDebounce: number;
  pullInterval: number;
  transport: Transport;
}

/** What the engine is at. */
export interface Activity {
  /** The hub has said welcome. */
  online: boolean;
  /** Everything the hub has told is shown. */
  complete: boolean;
  /** Mutations are on their way. */
  pushing: boolean;
  /** What keeps it from syncing, if it is more than a missing network. */
  error: { code: string; message: string } | null;
  /** Records of a snapshot that came, and about how many there are; `null` if it is not known. */
  bootstrap: { done: number; total: number | null } | null;
}

export const RESTING: Activity = {
  online: false,
  complete: false,
  pushing: false,
  error: null,
  bootstrap: null,
};

/** What an engine calls. */
export interface EngineEvents {
  activity(activity: Activity): void;
  /** The hub passed something on; `null` when the link is over, and with it all presence. */
  ephemeral(told: Ephemeral | null): void;
  /** What this device shows of itself; `null` is nothing. */
  presence(): Json;
}

/** Another tab leads now. */
class Fenced extends Error {}

/** The link that told something is over. */
class Outdated extends Error {}

export class Engine {
  readonly #db: Database;
  readonly #options: EngineOptions;
  readonly #around: Surroundings;
  readonly #tokens: Tokens;
  readonly #events: EngineEvents;
  readonly #pace = new Pace(() => this.#show());
  readonly #id = crypto.randomUUID();
  #activity: Activity = RESTING;
  #running = false;
  /** The database knows that this tab leads. */
  #leads = false;
  /** The history the hub named on this link. */
  #epoch: string | null = null;
  /** Messages in a row that could not be. */
  #broken = 0;
  /** Pushes refused in a row. */
  #refusals = 0;
  readonly #connector: Connector;
  readonly #pusher: Pusher;

  constructor(db: Database, options: EngineOptions, around: Surroundings, events: EngineEvents) {
    this.#db = db;
    this.#options = options;
    this.#around = around;
    this.#tokens = new Tokens(options.auth);
    this.#events = events;
    const { url, transport, pullInterval: interval } = options;
    const polling = { interval, position: async () => position(await db.read("replica")) };
    this.#connector = new Connector({ url, transport, polling }, around, {
      hello: (over) => this.#hello(over),
      message: (message) => this.#take(message),
      dropped: () => this.#dropped(),
      ended: (why) => this.#ended(why),
      failed: (error) => this.#failed(error),
    });
    this.#pusher = new Pusher(options.pushDebounce, () => around.now(), {
      next: (after) => this.#leading(() => nextPush(db, after, around.now())),
      send: (muts) => this.#connector.link?.push(muts),
      pushing: (pushing) => this.#tell({ pushing }),
      failed: (error) => this.#failed(error),
    });
  }

  /** Takes the lead of the database's tabs and connects. */
  start(): void {
    this.#running = true;
    this.#leads = false;
    this.#connector.start();
  }

  stop(): void {
    this.#running = false;
    this.#connector.stop();
    this.#tell(RESTING);
  }

  get activity(): Activity {
    return this.#activity;
  }

  /** Something was written. */
  wrote(): void {
    this.#pusher.wrote();
  }

  /** Has the hub pass something on, if it is there. A presence is also told on every new link. */
  pass(message: OwnEphemeral): void {
    if (!this.#activity.online) return;
    if (message.t === "presence") this.#pace.due();
    else this.#connector.link?.tell(message);
  }

  #show(): void {
    this.#connector.link?.tell({ t: "presence", state: this.#events.presence() });
  }

  /** Sends and asks at once. */
  hurry(): void {
    const { link } = this.#connector;
    if (link instanceof HttpLink && this.#activity.online) {
      this.#tell({ complete: false });
      link.poll();
    }
    this.#pusher.flush();
  }

  #tell(change: Partial<Activity>): void {
    this.#activity = { ...this.#activity, ...change };
    this.#events.activity(this.#activity);
  }

  /** A transaction of the leader. */
  async #leading<T>(work: () => Promise<T>): Promise<T> {
    return this.#db.everything(async () => {
      if ((await this.#db.read("leader")) !== this.#id) throw new Fenced();
      return work();
    });
  }

  /**
   * A transaction of what the link told. What it tells has no effect once it is over, nor has what
   * the caller does next: another one may stand elsewhere, in another history even.
   */
  async #heard<T>(work: () => Promise<T>): Promise<T> {
    const { key } = this.#connector;
    const check = () => {
      if (key === null || this.#connector.key !== key) throw new Outdated();
    };
    const result = await this.#leading(async () => {
      check();
      return work();
    });
    check();
    return result;
  }

  async #takeLead(): Promise<void> {
    await this.#db.everything(async () => {
      await this.#db.keep("leader", this.#id);
      await this.#applied((replica) => want(replica, this.#options.tables));
    });
    this.#leads = true;
  }

  async #hello(over: "websocket" | "http"): Promise<Hello> {
    if (!this.#leads) await this.#takeLead();
    const token = await this.#tokens.get();
    return this.#leading(() => this.#helloWith(token, over));
  }

  async #helloWith(token: string, over: "websocket" | "http"): Promise<Hello> {
    const { app, tables } = this.#options;
    let replica = await this.#db.read("replica");
    if (over === "http" && replica.fill?.tables) {
      // Over HTTP there are no snapshots of some tables.
      const step = restart(replica, false);
      await carryOut(this.#db, replica, step);
      replica = step.replica;
    }
    const { id, confirmed } = await this.#db.read("client");
    return { app, token, tables, client: id, confirmed, position: position(replica) };
  }

  #dropped(): void {
    this.#epoch = null;
    this.#pusher.close();
    this.#pace.stop();
    if (!this.#activity.online) return;
    this.#events.ephemeral(null);
    this.#tell({ online: false, pushing: false });
  }

  #ended(why: Ended): void {
    if (why.is === "auth") this.#tokens.drop();
    if (why.is !== "lost") this.#tell({ error: { code: why.code, message: why.message } });
  }

  /** Something failed on this side. */
  #failed(error: unknown): void {
    if (!this.#running) return;
    const isOver = (error as Partial<SynclineError>).code === "signed_out";
    if (error instanceof Fenced || isOver) return this.stop();
    this.#connector.drop();
    if (error instanceof Unreachable) return this.#connector.comeBack();
    if (error instanceof SynclineError) {
      this.#tell({ error: { code: error.code, message: error.message } });
    } else if (!(error instanceof ProtocolError)) {
      const { name = "", message = "" } = error as Partial<Error>;
      const isFull = `${name} ${message}`.includes("QuotaExceeded");
      this.#tell({ error: { code: isFull ? "quota" : "storage", message: `${name}: ${message}` } });
    }
    this.#connector.comeBack({ refused: !(error instanceof ProtocolError) });
  }

  async #take(message: HubMessage): Promise<void> {
    const { key } = this.#connector;
    try {
      await this.#answer(message);
      this.#broken = 0;
    } catch (error) {
      if (this.#connector.key !== key) return;
      if (error instanceof ProtocolError) await this.#mistold();
      this.#failed(error);
    }
  }

  /** What cannot be: after some tries the copy itself is doubted, and taken anew. */
  async #mistold(): Promise<void> {
    if (++this.#broken < BROKEN_MAX) return;
    this.#broken = 0;
    await this.#leading(() => this.#applied((replica) => restart(replica, false)));
  }

  async #answer(message: HubMessage): Promise<void> {
    switch (message.t) {
      case "welcome":
        return this.#welcome(message);
      case "verdicts":
        return this.#verdicts(message);
      case "reset":
      case "snapshot":
      case "snapshot_end":
      case "delta": {
        if (message.t === "reset") this.#epoch = message.epoch ?? this.#epoch;
        const epoch = this.#epoch;
        const applied = await this.#heard(() =>
          this.#applied((replica) => receive(replica, message, epoch)),
        );
        if (applied.isAnother) return this.#again();
        if (applied.resends) this.#pusher.flush();
        return this.#showProgress();
      }
      case "error":
        return this.#refused(message);
      case "slow":
        this.#pace.slow(message.retry_ms);
        return this.#pusher.pause(message.retry_ms);
      case "presence":
      case "broadcast":
      case "notice":
        return this.#events.ephemeral(message);
      case "auth_due":
        return this.#refresh();
      case "reconnect":
      case "pong":
      case "other":
        return;
    }
  }

  /** Carries a step out. `resends`: the outbox may hold something again. */
  async #applied(take: (replica: Replica) => Step) {
    const before = await this.#db.read("replica");
    const step = take(before);
    const isAnother = await carryOut(this.#db, before, step);
    return { isAnother, resends: step.losesHistory || (step.completes && before.offers) };
  }

  async #showProgress(): Promise<void> {
    const { complete, fill } = await this.#db.read("replica");
    const bootstrap = fill ? { done: fill.count, total: fill.of } : null;
    this.#tell({ complete, bootstrap });
  }

  async #welcome(hello: Welcome): Promise<void> {
    this.#epoch = hello.epoch;
    this.#connector.welcomed();
    const forgotten = await this.#heard(async () => {
      const client = await this.#db.read("client");
      if (hasForgotten(client.confirmed, hello.acked)) return true;
      await this.#db.keep("client", { ...client, head: Math.max(client.head, hello.head) });
      if (hello.limits) await this.#db.keep("limits", hello.limits);
      await hubTime(this.#db, hello.now, this.#connector.openedAt, this.#around.now());
      await this.#applied((replica) => welcome(replica, hello.epoch, hello.head));
      return false;
    });
    if (forgotten) return this.#beAnother(true);
    this.#tell({ online: true, error: null });
    this.#pusher.open();
    if (this.#events.presence() !== null) this.#pace.due();
    await this.#showProgress();
  }

  /** A new client id: the old one's numbers are of no use. */
  async #beAnother(historyLost: boolean): Promise<void> {
    await this.#heard(async () => {
      await renumber(this.#db);
      await this.#applied((replica) => restart(replica, historyLost));
    });
    this.#again();
  }

  /** Says hello anew. */
  #again(): void {
    this.#connector.drop();
    this.#connector.comeBack({ after: 0 });
  }

  async #verdicts({ results, now }: Verdicts): Promise<void> {
    const asked = this.#pusher.askedAt(results);
    const isAnother = await this.#heard(async () => {
      if (asked !== null) await hubTime(this.#db, now, asked, this.#around.now());
      return decide(this.#db, results, this.#around.now());
    });
    if (isAnother) return this.#beAnother(false);
    this.#refusals = 0;
    this.#pusher.flush();
  }

  /** Something was not taken. What was pushed is pushed again. */
  async #refused({ code, message, retry, acked }: Refused): Promise<void> {
    // Before the welcome it is said why the link will end.
    if (!this.#activity.online || code === "ephemeral_too_large") return;
    if (code === "gap") {
      const { confirmed } = await this.#heard(() => this.#db.read("client"));
      if (hasForgotten(confirmed, acked)) return this.#beAnother(true);
    }
    if (retry === "reauth") {
      this.#tokens.drop();
      this.#pusher.pause(backoff(++this.#refusals, 1));
      return this.#refresh();
    }
    const isFinal = retry === "never" || retry === "upgrade";
    if (isFinal) this.#tell({ error: { code, message } });
    this.#pusher.pause(backoff(++this.#refusals, this.#around.random(), isFinal));
  }

  /** A fresh token for the link there is. Without one, pushes are refused and nothing else. */
  async #refresh(): Promise<void> {
    const { link } = this.#connector;
    try {
      const token = await this.#tokens.fresh();
      if (link !== this.#connector.link) return;
      link?.auth(token);
      this.#tell({ error: null });
      this.#pusher.resume();
    } catch (error) {
      if (error instanceof Unreachable) return;
      const { code = "token_failed", message = "" } = error as Partial<SynclineError>;
      this.#tell({ error: { code, message } });
    }
  }
}
