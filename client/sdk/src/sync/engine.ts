/**
 * Talks to the hub for one database, in the tab that leads: connects, says hello, sends the outbox.
 * What the hub says is its `Conversation`'s, the connection its `Connector`'s, when to send its
 * `Pusher`'s. What is known is in the database.
 */
import { ProtocolError, type SynclineError } from "../core/errors.js";
import { callAll } from "../core/listeners.js";
import { position } from "../core/position.js";
import { restart, want } from "../core/replica.js";
import type { OwnEphemeral } from "../core/wire.js";
import type { Database } from "../storage/database.js";
import { carryOut, sweep } from "../storage/incoming.js";
import { Fenced, Lead } from "../storage/lead.js";
import { toSyncline } from "../storage/open.js";
import { nextPush } from "../storage/sending.js";
import type { Surroundings } from "../surroundings.js";
import { RESTING, type Activity } from "./activity.js";
import { Connector, type Transport } from "./connector.js";
import { Conversation, type Heard, type Tracing } from "./conversation.js";
import type { Ended, Hello } from "./link.js";
import { Pace } from "./pace.js";
import { Pusher } from "./pusher.js";
import { Tokens, Unreachable, type Auth } from "./tokens.js";

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
  trace?: Tracing | undefined;
}

/** What an engine calls. */
interface EngineEvents extends Heard {
  activity(activity: Activity): void;
}

export class Engine {
  readonly #db: Database;
  readonly #options: EngineOptions;
  readonly #events: EngineEvents;
  readonly #lead: Lead;
  readonly #tokens: Tokens;
  readonly #pace: Pace;
  readonly #connector: Connector;
  readonly #pusher: Pusher;
  #activity: Activity = RESTING;
  #running = false;
  /** The database knows that this tab leads. */
  #leads = false;
  #isFenced = false;

  constructor(db: Database, options: EngineOptions, around: Surroundings, events: EngineEvents) {
    this.#db = db;
    this.#options = options;
    this.#events = events;
    const lead = (this.#lead = new Lead(db));
    const tokens = (this.#tokens = new Tokens(options.auth));
    const failed = (error: unknown) => this.#failed(error);
    const tell = (change: Partial<Activity>) => this.#tell(change);
    const { url, transport, pullInterval: interval, trace } = options;
    const polling = { interval, position: async () => position(await db.read("replica")) };
    const connector: Connector = (this.#connector = new Connector(
      { url, transport, polling },
      around,
      {
        hello: (over) => this.#hello(over),
        message: (message) => conversation.take(message),
        isStuck: () => pusher.isStuck,
        dropped: (why) => {
          conversation.over();
          this.#dropped(why);
        },
        ended: (why) => {
          if (why.is === "replaced") void conversation.replaced();
          else this.#ended(why);
        },
        failed,
      },
    ));
    const pusher: Pusher = (this.#pusher = new Pusher(options.pushDebounce, () => around.now(), {
      next: async (after, most) =>
        events.mayPush()
          ? nextPush(db, lead, { after, most, now: around.now() })
          : { muts: [], more: false },
      send: (muts) => connector.link?.push(muts, traceOf(trace)),
      pushing: (pushing) => tell({ pushing }),
      failed,
    }));
    const pace = (this.#pace = new Pace(() =>
      connector.link?.tell({ t: "presence", state: events.presence() }),
    ));
    const parts = { db, lead, tokens, connector, pusher, pace, around, events, trace };
    const isOnline = () => this.#activity.online;
    const conversation: Conversation = new Conversation(parts, { tell, failed, isOnline });
  }

  /** Takes the lead of the database's tabs and connects. */
  start(): void {
    this.#running = true;
    this.#leads = false;
    this.#isFenced = false;
    this.#connector.start();
  }

  stop(): void {
    this.#running = false;
    this.#connector.stop();
    this.#tell(RESTING);
  }

  /** Whether no other tab has taken the lead since. */
  async leads(): Promise<boolean> {
    return !this.#leads || this.#lead.isHeld();
  }

  /** It has stopped since another tab leads. */
  get isFenced(): boolean {
    return this.#isFenced;
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

  /** Sends and asks at once. */
  hurry(): void {
    if (this.#activity.online && this.#connector.link?.poll()) this.#tell({ complete: false });
    this.#pusher.flush();
  }

  #tell(change: Partial<Activity>): void {
    const now = this.#activity;
    if (Object.entries(change).every(([name, value]) => now[name as keyof Activity] === value))
      return;
    this.#activity = { ...now, ...change };
    this.#events.activity(this.#activity);
  }

  async #takeLead(): Promise<void> {
    const db = this.#db;
    await this.#lead.take(async () => {
      const replica = await db.read("replica");
      await carryOut(db, replica, want(replica, this.#options.tables));
    });
    this.#leads = true;
    // What the last leader left; failing, the next one does it.
    sweep(db, this.#lead).catch(() => {});
  }

  async #hello(over: "websocket" | "http"): Promise<Hello> {
    if (!this.#leads) await this.#takeLead();
    const token = await this.#tokens.get();
    const tables = over === "http" ? this.#db.tables : [];
    return this.#lead.over(tables, () => this.#helloWith(token, over));
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
    const { id, confirmed, epoch = null } = await this.#db.read("client");
    return { app, token, tables, client: id, confirmed, epoch, position: position(replica) };
  }

  #dropped(why?: Ended): void {
    this.#pusher.close(why);
    this.#pace.stop();
    if (!this.#activity.online) return;
    this.#events.ephemeral(null);
    this.#tell({ online: false, pushing: false });
  }

  #ended(why: Exclude<Ended, { is: "replaced" }>): void {
    if (why.is === "auth") this.#tokens.drop();
    const { code, message = "" } = why;
    if (code !== undefined) this.#tell({ error: { code, message } });
  }

  /** Something failed on this side. */
  #failed(error: unknown): void {
    if (!this.#running) return;
    const isOver = (error as Partial<SynclineError>).code === "signed_out";
    this.#isFenced = error instanceof Fenced;
    if (this.#isFenced || isOver) return this.stop();
    this.#connector.drop();
    if (error instanceof Unreachable) return this.#connector.comeBack();
    if (!(error instanceof ProtocolError)) {
      const { code, message } = toSyncline(error) as SynclineError;
      this.#tell({ error: { code, message } });
    }
    this.#connector.comeBack({ refused: !(error instanceof ProtocolError) });
  }
}

/** The trace of a push. What the app throws costs a trace and no push. */
function traceOf(trace: Tracing | undefined): string | undefined {
  let said: string | undefined;
  callAll([() => (said = trace?.push?.())]);
  return said;
}
