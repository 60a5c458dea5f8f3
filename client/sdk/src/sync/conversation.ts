/**
 * What the hub says on a link, and what that does here. What messages mean is in `core`; each is
 * one transaction, and has no effect once its link is over.
 */
import type { Table } from "dexie";
import { backoff } from "../core/backoff.js";
import { ProtocolError, type SynclineError } from "../core/errors.js";
import { callAll } from "../core/listeners.js";
import type { Json } from "../core/json.js";
import { hasForgotten } from "../core/outbox.js";
import type { Replica } from "../core/copy.js";
import { mayStandElsewhere, receive, restart, welcome, type Step } from "../core/replica.js";
import type {
  Delta,
  Ephemeral,
  HubMessage,
  Refused,
  SnapshotPart,
  Verdicts,
  Welcome,
} from "../core/wire.js";
import type { Database } from "../storage/database.js";
import { forgetFormers, formersOf } from "../storage/former.js";
import { carryOut, carryOutPart, sweep } from "../storage/incoming.js";
import type { Lead } from "../storage/lead.js";
import { decide, dropPassed, renumber } from "../storage/sending.js";
import { correctClock, isClockWrong } from "../storage/clock.js";
import type { Surroundings } from "../surroundings.js";
import type { Activity, StatusError } from "./activity.js";
import type { Connector } from "./connector.js";
import type { Pace } from "./pace.js";
import type { Pusher } from "./pusher.js";
import { Unreachable, type Tokens } from "./tokens.js";

/** Connections in a row that broke by a protocol error, before the copy is taken anew. */
const BROKEN_MAX = 3;

/** What is heard and not stored. */
export interface Heard {
  /** The hub passed something on; `null` when the link is over, and with it all presence. */
  ephemeral(told: Ephemeral | null): void;
  /** What this device shows of itself; `null` is nothing. */
  presence(): Json;
  /** Whether the outbox may be sent now. */
  mayPush(): boolean;
}

/** How the app's own traces go on here. */
export interface Tracing {
  /** The `traceparent` (W3C Trace Context) of a push that is about to be sent, if it is traced. */
  push?(): string | undefined;
  /** Something is applied here that was pushed by a traced push, of this device or another. */
  received?(traceparent: string): void;
}

/** What a conversation works with. */
export interface Parts {
  db: Database;
  lead: Lead;
  tokens: Tokens;
  connector: Connector;
  pusher: Pusher;
  pace: Pace;
  around: Surroundings;
  events: Heard;
  trace?: Tracing | undefined;
}

/** What a conversation calls. */
interface ConversationEvents {
  tell(change: Partial<Activity>): void;
  failed(error: unknown): void;
  /** The hub has said welcome on this link. */
  isOnline(): boolean;
}

/** How much of what the hub has is shown. */
function progress({ complete, fill }: Replica): Pick<Activity, "complete" | "bootstrap"> {
  return { complete, bootstrap: fill ? { done: fill.count, total: fill.of } : null };
}

/** The link that told something is over. */
class Outdated extends Error {}

export class Conversation {
  readonly #parts: Parts;
  readonly #events: ConversationEvents;
  /** The history the hub named on this link. */
  #epoch: string | null = null;
  /** The hub has forgotten this client; what it says next tells how. */
  #isForgotten = false;
  /** Messages in a row that could not be. */
  #broken = 0;
  /** Pushes refused in a row. */
  #refusals = 0;
  /** The error shown is that of a push that was refused for good on this link. */
  #showsRefusal = false;

  constructor(parts: Parts, events: ConversationEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  /** The link is over. */
  over(): void {
    this.#epoch = null;
    this.#isForgotten = false;
    this.#showsRefusal = false;
  }

  /**
   * Another link said hello with this device's id. If this tab still leads it was another machine with
   * a copy of the database, and this one takes another id: with one, each would end the other's link.
   */
  async replaced(): Promise<void> {
    const { lead, db, connector } = this.#parts;
    try {
      await lead.everything(() => renumber(db));
      connector.comeBack();
    } catch (error) {
      this.#events.failed(error);
    }
  }

  /** Resolves when the message has taken effect, or failed. */
  async take(message: HubMessage): Promise<void> {
    const { connector } = this.#parts;
    const { key } = connector;
    try {
      await this.#answer(message);
      this.#broken = 0;
    } catch (error) {
      if (connector.key !== key) return;
      if (error instanceof ProtocolError) await this.#mistold();
      this.#events.failed(error);
    }
  }

  /** What cannot be: after some tries the copy itself is doubted, and taken anew. */
  async #mistold(): Promise<void> {
    if (++this.#broken < BROKEN_MAX) return;
    this.#broken = 0;
    await this.#parts.lead.everything(() => this.#applied((replica) => restart(replica, false)));
  }

  async #answer(message: HubMessage): Promise<void> {
    if (this.#isForgotten && ["snapshot", "snapshot_end", "delta"].includes(message.t))
      return this.#beAnother(true);
    const { pace, pusher, events } = this.#parts;
    switch (message.t) {
      case "welcome":
        return this.#welcome(message);
      case "verdicts":
        return this.#verdicts(message);
      case "snapshot":
        return this.#part(message);
      case "reset":
      case "snapshot_end":
      case "delta":
        return this.#told(message);
      case "error":
        return this.#refused(message);
      case "slow":
        pace.slow(message.retry_ms);
        return pusher.pause(message.retry_ms);
      case "presence":
      case "broadcast":
      case "notice":
        return events.ephemeral(message);
      case "auth_due":
        return void this.#refresh();
      case "reconnect":
      case "pong":
      case "other":
        return;
    }
  }

  /**
   * A transaction of what the link told, over these tables or everything. What it tells has no
   * effect once it is over, nor has what the caller does next: another one may stand elsewhere, in
   * another history even.
   */
  async #heard<T>(work: () => Promise<T>, tables?: Table[]): Promise<T> {
    const { connector, lead, db } = this.#parts;
    const { key } = connector;
    const check = () => {
      if (key === null || connector.key !== key) throw new Outdated();
    };
    const result = await lead.over(tables ?? db.tables, async () => {
      check();
      return work();
    });
    check();
    return result;
  }

  async #told(message: HubMessage): Promise<void> {
    if (message.t === "reset") this.#epoch = message.epoch ?? this.#epoch;
    const epoch = this.#epoch;
    const forgotten = this.#isForgotten;
    const applied = await this.#heard(async () => {
      if (forgotten) await renumber(this.#parts.db);
      return this.#applied((replica) => receive(replica, message, epoch));
    });
    forgetFormers(applied.erased, this.#parts.around);
    if (applied.isAnother || forgotten) return this.#again();
    if (applied.resends) this.#parts.pusher.flush();
    if (applied.drops) sweep(this.#parts.db, this.#parts.lead).catch(() => {});
    this.#events.tell(progress(applied.replica));
    if (message.t === "delta" && message.ack) this.#acknowledge(message);
  }

  #acknowledge({ to, traceparent }: Delta): void {
    const { connector, trace } = this.#parts;
    connector.link?.tell({ t: "ack", seq: to });
    if (traceparent && trace) callAll([(told: string) => trace.received?.(told)], traceparent);
  }

  async #part(message: SnapshotPart): Promise<void> {
    const { db } = this.#parts;
    const replica = await db.read("replica");
    const step = receive(replica, message, this.#epoch);
    await carryOutPart(db, step, (tables, work) => this.#heard(work, tables));
    this.#events.tell(progress(step.replica));
  }

  /**
   * Carries a step out. `resends`: the outbox may hold something again. `drops`: see `sweep`. `erased`:
   * databases that go, too.
   */
  async #applied(take: (replica: Replica) => Step) {
    const { db } = this.#parts;
    const before = await db.read("replica");
    const step = take(before);
    const erased = step.erases ? await formersOf(db) : [];
    const isAnother = await carryOut(db, before, step);
    const { replica } = step;
    const resends = step.losesHistory || (step.completes && before.offers);
    return { isAnother, resends, replica, drops: replica.drop.length > 0, erased };
  }

  async #welcome(hello: Welcome): Promise<void> {
    this.#epoch = hello.epoch;
    const { db, connector, around, pusher, pace, events } = this.#parts;
    connector.welcomed();
    const replica = await this.#heard(async () => {
      const client = await db.read("client");
      if (hasForgotten(client.confirmed, hello.acked)) {
        // Whether it lost what it knew or erased it is told to who stands in another history.
        const elsewhere = mayStandElsewhere(await db.read("replica"), hello.epoch);
        this.#isForgotten = elsewhere || (client.epoch ?? hello.epoch) !== hello.epoch;
        return null;
      }
      const epoch = client.epoch ?? hello.epoch;
      await db.keep("client", { ...client, epoch, head: Math.max(client.head, hello.head) });
      if (hello.limits) await db.keep("here", { ...(await db.read("here")), limits: hello.limits });
      const told = { hub: hello.now, asked: connector.openedAt, came: around.now() };
      await correctClock(db, told);
      const { replica } = await this.#applied((copy) => welcome(copy, hello.epoch, hello.head));
      await dropPassed(db);
      return replica;
    });
    if (!replica) return this.#isForgotten ? undefined : this.#beAnother(true);
    this.#events.tell({ online: true, error: null, ...progress(replica) });
    pusher.open();
    if (events.presence() !== null) pace.due();
  }

  /** The hub has forgotten this client: whether it lost or erased what it knew is still to be told. */
  #askWhy(): void {
    const { link } = this.#parts.connector;
    this.#isForgotten = link?.poll() ?? false;
    if (!this.#isForgotten) this.#again();
  }

  /** A new client id: the old one's numbers are of no use. */
  async #beAnother(historyLost: boolean): Promise<void> {
    await this.#heard(async () => {
      await renumber(this.#parts.db);
      await this.#applied((replica) => restart(replica, historyLost));
    });
    this.#again();
  }

  /** Says hello anew. */
  #again(): void {
    const { connector } = this.#parts;
    connector.drop();
    connector.comeBack({ after: 0 });
  }

  async #verdicts({ results, now }: Verdicts): Promise<void> {
    const { db, around, pusher } = this.#parts;
    const asked = pusher.answered(results);
    if (asked !== null) await this.#hubTime({ hub: now, asked, came: around.now() });
    const tables = results.some(({ status }) => status === "rejected")
      ? db.tables
      : [db.sent, db.settled];
    const decided = await this.#heard(() => decide(db, results, around.now()), tables);
    if (decided.renumbers) return this.#beAnother(false);
    if (decided.passes) await this.#heard(() => dropPassed(db));
    this.#refusals = 0;
    if (this.#showsRefusal) this.#tellError(null);
    pusher.flush();
  }

  async #hubTime(told: { hub: string; asked: number; came: number }): Promise<void> {
    const { db } = this.#parts;
    const isWrong = await db.transaction("r", db.local, db.sent, async () =>
      isClockWrong(db, told),
    );
    if (isWrong) await this.#heard(() => correctClock(db, told));
  }

  /** Something was not taken. What was pushed is pushed again. */
  async #refused({ code, message, retry, acked }: Refused): Promise<void> {
    const { db, pusher, tokens, around } = this.#parts;
    // Before the welcome it is said why the link will end.
    if (!this.#events.isOnline() || code === "ephemeral_too_large") return;
    if (code === "gap") {
      const { confirmed } = await this.#heard(() => db.read("client"), []);
      if (hasForgotten(confirmed, acked)) return this.#askWhy();
    }
    if (retry === "reauth") {
      tokens.drop();
      pusher.pause(backoff(++this.#refusals, 1));
      return void this.#refresh();
    }
    const isFinal = retry === "never" || retry === "upgrade";
    if (isFinal) this.#tellError({ code, message });
    this.#showsRefusal ||= isFinal;
    pusher.pause(backoff(++this.#refusals, around.random(), isFinal));
  }

  /**
   * A fresh token for the link there is. Without one, pushes are refused and nothing else: what the hub
   * tells does not wait for it.
   */
  async #refresh(): Promise<void> {
    const { connector, tokens, pusher } = this.#parts;
    const { link } = connector;
    try {
      const token = await tokens.fresh();
      if (link !== connector.link) return;
      link?.auth(token);
      this.#tellError(null);
      pusher.resume();
    } catch (error) {
      if (error instanceof Unreachable) return;
      const { code = "token_failed", message = "" } = error as Partial<SynclineError>;
      this.#tellError({ code, message });
    }
  }

  /** An error of the link there is, or that it has none. */
  #tellError(error: StatusError | null): void {
    this.#showsRefusal = false;
    this.#events.tell({ error });
  }
}
