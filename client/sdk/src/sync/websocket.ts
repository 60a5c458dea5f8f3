/** The native protocol over a WebSocket. */
import { ProtocolError } from "../core/errors.js";
import {
  parseMessage,
  SUBPROTOCOL,
  VERSION,
  type Ack,
  type Mutation,
  type OwnEphemeral,
  type Refused,
} from "../core/wire.js";
import {
  CLOSE,
  endedBy,
  endedByFault,
  LEAST_BYTES_PER_MS,
  type Ended,
  type Hello,
  type Link,
  type LinkEvents,
} from "./link.js";

/**
 * A socket that said nothing for so long is asked, and given up if it says nothing to that: its answer
 * has this time, and that of what left since it last spoke and may still be under way.
 */
const ASK_AFTER_MS = 25_000;
const ANSWER_WITHIN_MS = 10_000;

/** Nor is it given up while something of what was sent leaves in this time; what lies below it takes much at once. */
const LEAVE_WITHIN_MS = 25_000;

/** A socket must open and be welcomed within this time. */
const OPEN_WITHIN_MS = 15_000;

export class WebSocketLink implements Link {
  readonly #socket: WebSocket;
  readonly #events: LinkEvents;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Bytes given to the socket, and those of them that had left when the hub last spoke. */
  #given = 0;
  #heard = 0;
  /** Messages are taken one after the other. */
  #queue: Promise<void> = Promise.resolve();
  /** What the hub said before it closed, and when it wants to be asked again. */
  #refused: Refused | undefined;
  #after: number | undefined;

  /** `url` is the hub's address, `http` or `https`. */
  constructor(make: typeof WebSocket, url: string, hello: Hello, events: LinkEvents) {
    this.#events = events;
    this.#socket = new make(`${url.replace(/^http/, "ws")}/v1/ws`, SUBPROTOCOL);
    this.#socket.onopen = () => this.#send(helloText(hello));
    this.#socket.onmessage = (event: MessageEvent) => this.#receive(String(event.data));
    this.#socket.onclose = (event: CloseEvent) => this.#closed(event.code, event.reason);
    // A close follows, after what came before it.
    this.#socket.onerror = () => {};
    this.#expect(OPEN_WITHIN_MS, () => this.#end({ is: "lost" }));
  }

  push(muts: Mutation[], traceparent?: string): void {
    this.#send({ t: "push", muts, traceparent });
  }

  tell(message: OwnEphemeral | Ack): void {
    this.#send(message);
  }

  auth(token: string): void {
    this.#send({ t: "auth", token });
  }

  poll(): boolean {
    return false;
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #send(message: object): void {
    if (this.#socket.readyState !== 1) return;
    const before = this.#socket.bufferedAmount;
    this.#socket.send(JSON.stringify(message));
    this.#given += this.#socket.bufferedAmount - before;
  }

  #receive(text: string): void {
    this.#heard = this.#gone;
    this.#expect(ASK_AFTER_MS, () => {
      const waiting = this.#socket.bufferedAmount;
      this.#send({ t: "ping" });
      this.#awaitAnswer(waiting);
    });
    this.#queue = this.#queue.then(() => this.#take(text));
  }

  async #take(text: string): Promise<void> {
    if (this.#over) return;
    try {
      const message = parseMessage(text);
      if (message.t === "error") this.#refused = message;
      if (message.t === "reconnect") this.#after = message.after_ms;
      await this.#events.message(message);
    } catch (error) {
      this.#end(endedByFault(error));
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  /** What came before the close is taken first: it may say why. */
  #closed(code: number, reason: string): void {
    this.#queue = this.#queue.then(() => this.#end(this.#why(code, reason)));
  }

  #why(code: number, reason: string): Ended {
    const { code: word = "closed", message = reason, retry = "after" } = this.#refused ?? {};
    if (code === CLOSE.auth) return endedBy(word, message, retry === "now" ? "after" : "reauth");
    if (code === CLOSE.forbidden) return endedBy(word, message, "never");
    if (code === CLOSE.replaced) return { is: "replaced" };
    const slow = code === CLOSE.slow;
    const after = this.#after;
    return { is: "lost", ...(slow && { slow }), ...(after !== undefined && { after }) };
  }

  #end(why: Ended): void {
    if (this.#over) return;
    this.close();
    this.#events.ended(why);
  }

  /** Bytes that have left. */
  get #gone(): number {
    return this.#given - this.#socket.bufferedAmount;
  }

  /** Waits while what was sent leaves, of which so many bytes are `waiting`, and then for the answer. */
  #awaitAnswer(waiting: number): void {
    const gone = this.#gone;
    const arrives = ANSWER_WITHIN_MS + (gone - this.#heard) / LEAST_BYTES_PER_MS;
    this.#expect(waiting > 0 ? LEAVE_WITHIN_MS : arrives, () => {
      if (waiting > 0 && this.#gone > gone) this.#awaitAnswer(this.#socket.bufferedAmount);
      else this.#end({ is: "lost" });
    });
  }

  #expect(ms: number, otherwise: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(otherwise, ms);
  }
}

function helloText({ app, client, token, confirmed, epoch, tables, position }: Hello): object {
  return {
    t: "hello",
    v: VERSION,
    app,
    client,
    token,
    cursor: position.cursor,
    ...(tables && { tables }),
    ...(position.backfill.length > 0 && { backfill: position.backfill }),
    ...(position.next !== null && { snapshot_next: position.next }),
    ...(confirmed > 0 && { acked: confirmed }),
    ...(epoch !== null && { epoch }),
  };
}
