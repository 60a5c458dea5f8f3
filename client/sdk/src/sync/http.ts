/**
 * The native protocol over HTTP, for networks that let no WebSocket through: it asks, and tells
 * what it was answered in the words of the socket.
 */
import type { Position } from "../core/replica";
import { object, readDelta, readPart, readRefused, readResults, readWhy, text } from "../core/wire";
import type { Mutation } from "../core/wire";
import { endedBy, type Ended, type Hello, type Link, type LinkEvents } from "./link";

type Raw = Record<string, unknown>;

/** A request that is not answered is given up after this time. */
const ANSWER_WITHIN_MS = 40_000;

export interface Polling {
  /** Milliseconds between two looks for news. */
  interval: number;
  /** Where the copy stands now. */
  position(): Promise<Position>;
}

/** The link is over; not an error of the program. */
class Over extends Error {
  constructor(readonly why: Ended) {
    super(why.is);
  }
}

export class HttpLink implements Link {
  readonly #fetch: typeof fetch;
  readonly #url: string;
  readonly #hello: Hello;
  readonly #events: LinkEvents;
  readonly #polling: Polling;
  readonly #abort = new AbortController();
  #token: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Requests are made one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #welcomed = false;
  #polls = false;

  constructor(
    fetch_: typeof fetch,
    url: string,
    hello: Hello,
    events: LinkEvents,
    polling: Polling,
  ) {
    this.#fetch = fetch_;
    this.#url = `${url}/v1/${encodeURIComponent(hello.app)}`;
    this.#hello = hello;
    this.#token = hello.token;
    this.#events = events;
    this.#polling = polling;
    this.poll();
  }

  push(muts: Mutation[]): void {
    this.#do(async () => {
      const body = JSON.stringify({ client: this.#hello.client, muts });
      const answer = await this.#ask("/push", { method: "POST", body });
      if (answer.refused) return;
      const results = readResults(answer.body);
      await this.#events.message({ t: "verdicts", now: text(answer.body, "now"), results });
      await this.#look();
    });
  }

  auth(token: string): void {
    this.#token = token;
  }

  poll(): void {
    if (this.#polls) return;
    this.#polls = true;
    clearTimeout(this.#timer);
    this.#do(async () => {
      this.#polls = false;
      await this.#look();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.poll(), this.#polling.interval);
    });
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  #do(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#abort.signal.aborted) return;
      try {
        await work();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.close();
        this.#events.ended(error instanceof Over ? error.why : { is: "lost" });
        if (!(error instanceof Over || error instanceof TypeError)) throw error;
      }
    });
  }

  /** Reads until nothing more is to be had. */
  async #look(): Promise<void> {
    let next: string | null = null;
    for (;;) {
      const { cursor, next: place } = await this.#polling.position();
      if (!cursor) {
        await this.#readSnapshot(place);
        continue;
      }
      const more = next === null ? "" : `&next=${next}`;
      const answer = await this.#ask(`/changes?epoch=${cursor.epoch}&after=${cursor.seq}${more}`);
      if (answer.refused) {
        next = null;
        continue;
      }
      const { body } = answer;
      await this.#welcome(body, Number(body["head"]));
      const delta = readDelta(body);
      next = typeof body["next"] === "string" ? body["next"] : null;
      delta.more ||= delta.to < Number(body["head"]);
      await this.#events.message(delta);
      if (!delta.more) return;
    }
  }

  async #readSnapshot(place: string | null): Promise<void> {
    const answer = await this.#ask(`/snapshot${place === null ? "" : `?next=${place}`}`);
    if (answer.refused) return;
    const { body } = answer;
    await this.#welcome(body, Number(body["at"]));
    const part = readPart(body);
    await this.#events.message(part);
    if (part.next !== null) return;
    await this.#events.message({
      t: "snapshot_end",
      at: part.at,
      count: Number(body["count"]),
      sum: text(body, "sum"),
      epoch: text(body, "epoch"),
    });
  }

  /** The first answer stands for the socket's welcome. What this hub limits is not told. */
  async #welcome(body: Raw, head: number): Promise<void> {
    if (this.#welcomed) return;
    this.#welcomed = true;
    const epoch = text(body, "epoch");
    await this.#events.message({ t: "welcome", epoch, head, now: "", limits: null });
  }

  /** Asks. What only concerns this question is told as the socket's `reset` and `error`. */
  async #ask(path: string, init: RequestInit = {}): Promise<{ refused: boolean; body: Raw }> {
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": "application/json" };
    const response = await this.#fetch(this.#url + path, { ...init, headers, signal });
    const body = object(await response.json().catch(() => ({})), "an answer");
    if (response.ok) return { refused: false, body };
    if (typeof body["code"] !== "string") throw new Over({ is: "lost" });
    const refused = readRefused(body);
    const after = Number(response.headers.get("retry-after")) * 1000;
    if (refused.code === "reset") {
      await this.#events.message({ t: "reset", why: readWhy(body), epoch: null });
    } else if (init.method === "POST" && response.status !== 401 && response.status !== 403) {
      await this.#events.message(refused);
    } else {
      const why = endedBy(refused.code, refused.message, refused.retry);
      throw new Over(why.is === "lost" && after > 0 ? { is: "lost", after } : why);
    }
    return { refused: true, body };
  }
}
