/**
 * The native protocol over HTTP, for networks that let no WebSocket through: it asks, and tells
 * what it was answered in the words of the socket.
 */
import type { Position } from "../core/position.js";
import { ProtocolError } from "../core/errors.js";
import {
  object,
  readDelta,
  readPart,
  readRefused,
  readResults,
  readWhy,
  text,
} from "../core/wire.js";
import type { Mutation, Refused, Result } from "../core/wire.js";
import {
  endedBy,
  endedByFault,
  LEAST_BYTES_PER_MS,
  type Ended,
  type Hello,
  type Link,
  type LinkEvents,
} from "./link.js";

type Raw = Record<string, unknown>;

/** A request that is not answered is given up after this time, and that of its body on the slowest line. */
const ANSWER_WITHIN_MS = 40_000;

export interface Polling {
  /** Milliseconds between two looks for news. */
  interval: number;
  /** Where the copy stands now. */
  position(): Promise<Position>;
}

/** A question that was not answered. `forGood`: what was pushed is too much, or cannot be read. */
interface RefusedPush {
  told: Refused;
  forGood: boolean;
}

/** The link is over; not an error of the program. */
class Over extends Error {
  constructor(readonly why: Ended) {
    super(why.is);
  }
}

/** How a link may end. What fetch throws without a network, and when it is given up, are the middle two. */
const EXPECTED = [Over, TypeError, DOMException, ProtocolError];

export class HttpLink implements Link {
  readonly #fetch: typeof fetch;
  readonly #url: string;
  readonly #hello: Hello;
  readonly #events: LinkEvents;
  readonly #polling: Polling;
  readonly #abort = new AbortController();
  #token: string;
  #epoch: string | null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Requests are made one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #welcomed = false;
  #polls = false;
  /** The trace of the push under way. */
  #traceparent: string | undefined;

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
    this.#epoch = hello.epoch;
    this.#events = events;
    this.#polling = polling;
    this.poll();
  }

  push(muts: Mutation[], traceparent?: string): void {
    this.#do(async () => {
      this.#traceparent = traceparent;
      if (await this.#push(muts)) await this.#look();
    });
  }

  /** Pushes. What is refused only for what it stands with is pushed in halves. True if all was judged. */
  async #push(muts: Mutation[]): Promise<boolean> {
    const { refused, body } = await this.#send(muts);
    if (!refused) {
      await this.#judged(body, readResults(body));
      return true;
    }
    if (!refused.forGood) {
      await this.#notTaken(refused.told);
      return false;
    }
    const half = muts.length >> 1;
    if (half === 0) return this.#giveUp(muts[0] as Mutation, refused.told);
    return (await this.#push(muts.slice(0, half))) && this.#push(muts.slice(half));
  }

  /** Uses up the number of a mutation that cannot even be sent, so that those behind it follow. */
  async #giveUp({ m }: Mutation, why: Refused): Promise<boolean> {
    const { refused, body } = await this.#send([{ m, changes: null }]);
    if (refused) {
      await this.#notTaken(refused.told);
      return false;
    }
    const { code, message } = why;
    const results = readResults(body).map((result) =>
      result.code === "number_reused" ? result : { ...result, code, message },
    );
    await this.#judged(body, results);
    return true;
  }

  /** Nothing of a push was taken. That everything was erased has been told by then. */
  async #notTaken(told: Refused): Promise<void> {
    if (told.code !== "reset") await this.#events.message(told);
  }

  #send(muts: Mutation[]) {
    const epoch = this.#epoch ?? undefined;
    return this.#ask("/push", JSON.stringify({ client: this.#hello.client, epoch, muts }));
  }

  async #judged(body: Raw, results: Result[]): Promise<void> {
    const { cursor } = await this.#polling.position();
    // A seq says nothing to a copy of another history.
    if (cursor && cursor.epoch !== text(body, "epoch")) await this.#look();
    await this.#events.message({ t: "verdicts", now: text(body, "now"), results });
  }

  tell(): void {}

  auth(token: string): void {
    this.#token = token;
  }

  poll(): boolean {
    if (this.#polls) return true;
    this.#polls = true;
    clearTimeout(this.#timer);
    this.#do(async () => {
      this.#polls = false;
      await this.#look();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.poll(), this.#polling.interval);
    });
    return true;
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
        this.#events.ended(error instanceof Over ? error.why : endedByFault(error));
        if (!EXPECTED.some((kind) => error instanceof kind)) throw error;
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
    this.#epoch ??= epoch;
    await this.#events.message({ t: "welcome", epoch, head, now: "", limits: null });
  }

  /** Asks. A refused push is the caller's; of what else is refused only a reset does not end the link. */
  async #ask(path: string, push?: string): Promise<{ refused?: RefusedPush; body: Raw }> {
    const isPush = push !== undefined;
    const init = isPush && { method: "POST", body: push };
    const within = ANSWER_WITHIN_MS + Math.ceil((push?.length ?? 0) / LEAST_BYTES_PER_MS);
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(within)]);
    const traceparent = isPush && this.#traceparent;
    const headers = {
      authorization: `Bearer ${this.#token}`,
      "content-type": "application/json",
      ...(traceparent && { traceparent }),
    };
    const response = await this.#fetch(this.#url + path, { ...init, headers, signal });
    const body = object(await response.json().catch(() => ({})), "an answer");
    if (response.ok) return { body };
    const { status } = response;
    // Of a body that is too large what stands before the hub may say so, in words of its own.
    if (isPush && status === 413) body["code"] ??= "body_too_large";
    if (typeof body["code"] !== "string") throw new Over({ is: "lost" });
    const told = readRefused(body);
    const forGood = [400, 413, 422].includes(status);
    const isPushed = isPush && told.code !== "reset";
    if (isPushed && status !== 401 && status !== 403) return { refused: { told, forGood }, body };
    if (told.code !== "reset") {
      const why = endedBy(told.code, told.message, told.retry);
      const after = Number(response.headers.get("retry-after")) * 1000;
      throw new Over(why.is === "lost" && after > 0 ? { is: "lost", after } : why);
    }
    await this.#events.message({ t: "reset", why: readWhy(body), epoch: null });
    return { refused: { told, forGood }, body };
  }
}
