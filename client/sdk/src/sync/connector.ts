/**
 * Keeps a link to the hub: which transport, and when to come back after one has ended. It knows
 * nothing of what is said on it.
 */
import { backoff } from "../core/backoff.js";
import type { HubMessage } from "../core/wire.js";
import { loaded, type Surroundings } from "../surroundings.js";
import type { Polling } from "./http.js";
import type { Ended, Hello, Link } from "./link.js";
import { WebSocketLink } from "./websocket.js";

/** Sockets in a row that were of no use, before polling is tried; and how long polling lasts then. */
const SOCKET_TRIES = 3;
const SOCKET_AGAIN_MS = 300_000;

export type Transport = "auto" | "websocket" | "http";

/** What a connector calls. Nothing of a link that was dropped is told. */
interface ConnectorEvents {
  /** How to say hello on the next link. What it throws is told by `failed`. */
  hello(over: "websocket" | "http"): Promise<Hello>;
  /** A message came. The next one is given when the promise is settled. */
  message(message: HubMessage): Promise<void>;
  /** What was pushed on the link has not been answered, nor anything else that was. */
  isStuck(): boolean;
  /** The link was dropped; `why` it ended, if it was not this side that ended it. */
  dropped(why?: Ended): void;
  /** Why it ended, if it was not this side that ended it. */
  ended(why: Ended): void;
  failed(error: unknown): void;
}

export class Connector {
  readonly #url: string;
  readonly #transport: Transport;
  readonly #polling: Polling;
  readonly #around: Surroundings;
  readonly #events: ConnectorEvents;
  #running = false;
  #link: Link | null = null;
  #key: AbortController | null = null;
  #openedAt = 0;
  #isWelcome = false;
  #again: ReturnType<typeof setTimeout> | undefined;
  #socketAgain: ReturnType<typeof setTimeout> | undefined;
  /** Links in a row that got no welcome or carried no push, and those of them that were sockets. */
  #failures = 0;
  #socketFailures = 0;

  constructor(
    { url, transport, polling }: { url: string; transport: Transport; polling: Polling },
    around: Surroundings,
    events: ConnectorEvents,
  ) {
    this.#url = url;
    this.#transport = transport;
    this.#polling = polling;
    this.#around = around;
    this.#events = events;
  }

  /** The link there is, welcomed or not. */
  get link(): Link | null {
    return this.#link;
  }

  /** Tells links apart; it is there before its link, which may end while it is made. */
  get key(): object | null {
    return this.#key;
  }

  /** When the link was opened, by this device's clock. */
  get openedAt(): number {
    return this.#openedAt;
  }

  start(): void {
    this.#running = true;
    this.#around.events?.addEventListener("online", this.#nowOnline);
    void this.#connect();
  }

  stop(): void {
    this.#running = false;
    this.#around.events?.removeEventListener("online", this.#nowOnline);
    this.drop();
    clearTimeout(this.#again);
  }

  /** The hub has said welcome on the link there is. */
  welcomed(): void {
    this.#isWelcome = true;
  }

  /** Gives the link up. `why` it ended, if it was not this side that ends it. */
  drop(why?: Ended): void {
    const isStuck = why?.is === "lost" && this.#events.isStuck();
    if (this.#isWelcome && !isStuck) this.#failures = this.#socketFailures = 0;
    else if (why && this.#link instanceof WebSocketLink) this.#socketFailures++;
    this.#key?.abort();
    this.#key = null;
    this.#isWelcome = false;
    this.#link?.close();
    this.#link = null;
    clearTimeout(this.#socketAgain);
    this.#events.dropped(why);
  }

  /** Connects again, after `after` milliseconds or as `backoff` says. */
  comeBack({ refused = false, after }: { refused?: boolean; after?: number } = {}): void {
    if (!this.#running) return;
    this.#failures++;
    clearTimeout(this.#again);
    const wait = after ?? backoff(this.#failures, this.#around.random(), refused);
    this.#again = setTimeout(() => void this.#connect(), wait);
  }

  readonly #nowOnline = (): void => {
    this.#failures = 0;
    if (this.#running && !this.#link) void this.#connect();
  };

  async #connect(): Promise<void> {
    clearTimeout(this.#again);
    this.drop();
    try {
      const hello = await this.#events.hello(this.#usesSocket() ? "websocket" : "http");
      if (this.#running && !this.#link) await this.#open(hello);
    } catch (error) {
      this.#events.failed(error);
    }
  }

  #usesSocket(): boolean {
    if (this.#transport !== "auto") return this.#transport === "websocket";
    return this.#around.WebSocket !== undefined && this.#socketFailures < SOCKET_TRIES;
  }

  async #open(hello: Hello): Promise<void> {
    const { WebSocket: make, fetch: ask } = this.#around;
    const key = new AbortController();
    this.#key = key;
    this.#openedAt = this.#around.now();
    const events = {
      message: async (message: HubMessage) => {
        if (this.#key === key) await this.#events.message(message);
      },
      ended: (why: Ended) => {
        if (this.#key === key) this.#ended(why);
      },
    };
    if (this.#usesSocket() && make) {
      this.#link = new WebSocketLink(make, this.#url, hello, events);
    } else {
      const part = await loaded(() => import("./http.js"), this.#around, key.signal).catch(
        () => {},
      );
      if (!part || this.#key !== key) return;
      this.#link = new part.HttpLink(ask, this.#url, hello, events, this.#polling);
      this.#socketAgain = setTimeout(() => this.#trySocket(), SOCKET_AGAIN_MS);
    }
  }

  #trySocket(): void {
    if (this.#transport !== "auto" || !this.#around.WebSocket) return;
    this.drop();
    this.#socketFailures = SOCKET_TRIES - 1;
    void this.#connect();
  }

  #ended(why: Ended): void {
    this.drop(why);
    this.#events.ended(why);
    // Whoever takes another id comes back with it.
    if (why.is === "replaced") return;
    if (why.is === "lost") this.comeBack({ after: why.after });
    else this.comeBack({ refused: why.is === "refused" });
  }
}
