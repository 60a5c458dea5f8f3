/**
 * When the outbox is sent, and how much of it at once: a while after a write, at once after a welcome
 * or verdicts, and not while the hub asked for a pause. It knows what was sent on the link there is, and
 * what the links before it carried; what is in the outbox is known to the database.
 */
import { broke, carried, NEW_LINE, type Line } from "../core/line.js";
import { PUSH_MAX } from "../core/outbox.js";
import type { Mutation, Result } from "../core/wire.js";
import type { Ended } from "./link.js";

/** What a pusher does its work with. */
interface PusherEvents {
  /** Up to `most` mutations after number `after` that go into one push, and whether there are more. */
  next(after: number, most: number): Promise<{ muts: Mutation[]; more: boolean }>;
  send(muts: Mutation[]): void;
  /** Mutations are on their way, or no more are. */
  pushing(is: boolean): void;
  failed(error: unknown): void;
}

/** So long what is written waits for the answer to a push, to go with what else is written by then. */
const TOGETHER_MS = 50;

export class Pusher {
  readonly #events: PusherEvents;
  readonly #now: () => number;
  readonly #debounce: number;
  /** There is a link that was welcomed; another number for each. */
  #link: number | null = null;
  #links = 0;
  /** The last number sent on this link. */
  #pushed = 0;
  /** The pushes of this link that may be unanswered: their last numbers and lengths, and when they were sent. */
  #sent: { last: number; length: number; at: number }[] = [];
  /** Something was answered on this link. */
  #isAnswered = false;
  #line: Line = NEW_LINE;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #paused = false;
  #flushing = false;
  #again = false;

  /** `debounce`: milliseconds from a write to its sending. */
  constructor(debounce: number, now: () => number, events: PusherEvents) {
    this.#debounce = debounce;
    this.#now = now;
    this.#events = events;
  }

  /** The hub has said welcome. */
  open(): void {
    this.#link = ++this.#links;
    this.flush();
  }

  /** The link is over. What had no verdict is sent again on the next one. `why` it ended, if by itself. */
  close(why?: Ended): void {
    const under = this.#isUnderWay && this.#sent[0];
    if (under && why?.is === "lost")
      this.#line = broke(this.#line, under.length, why.slow === true);
    this.#link = null;
    this.#isAnswered = false;
    this.#pushed = 0;
    this.#sent = [];
    this.#paused = false;
    this.#stopTimer();
  }

  /** Something was written. While a push is unanswered it waits a little for the verdicts: see `flush`. */
  wrote(): void {
    if (this.#timer !== undefined) return;
    const wait = this.#sent.length > 0 ? Math.max(this.#debounce, TOGETHER_MS) : this.#debounce;
    this.#timer = setTimeout(() => this.flush(), wait);
  }

  /** Sends what there is, unless there is a pause. */
  flush(): void {
    if (this.#paused) return;
    this.#stopTimer();
    if (this.#link === null) return;
    this.#again = true;
    if (!this.#flushing) void this.#sendAll();
  }

  /** Sends nothing for so long, then everything without a verdict again. */
  pause(ms: number): void {
    this.#paused = true;
    this.#pushed = 0;
    this.#stopTimer();
    this.#events.pushing(false);
    this.#timer = setTimeout(() => this.resume(), ms);
  }

  /** Ends a pause. */
  resume(): void {
    this.#paused = false;
    this.flush();
  }

  /** What is answered here: when it was sent, at the earliest; `null` if not on this link. */
  answered(results: Result[]): number | null {
    const numbers = results.map((result) => result.m);
    const asked = this.#sent.find(({ last }) => last >= Math.min(...numbers));
    this.#sent = this.#sent.filter(({ last }) => last > Math.max(...numbers));
    if (!asked) return null;
    this.#isAnswered = true;
    this.#line = carried(this.#line);
    return asked.at;
  }

  /** A push is under way, and nothing was answered on this link. */
  get isStuck(): boolean {
    return this.#isUnderWay && !this.#isAnswered;
  }

  /** The last push is neither answered nor refused. */
  get #isUnderWay(): boolean {
    return this.#sent.at(-1)?.last === this.#pushed;
  }

  async #sendAll(): Promise<void> {
    this.#flushing = true;
    try {
      while (this.#again) {
        this.#again = false;
        const [link, after] = [this.#link, this.#pushed];
        const { most } = this.#line;
        // A line that broke is given one push at a time; its verdicts have the next one sent.
        if (most < PUSH_MAX && this.#isUnderWay) return;
        const { muts, more } = await this.#events.next(after, most);
        const last = muts.at(-1);
        // Meanwhile the link may have ended, or a refusal asked for everything again.
        if (link === null || this.#link !== link || this.#paused || this.#pushed !== after)
          continue;
        if (last) {
          this.#pushed = last.m;
          this.#sent.push({ last: last.m, length: muts.length, at: this.#now() });
          this.#events.send(muts);
          this.#again ||= more;
        }
        this.#events.pushing(last !== undefined);
      }
    } catch (error) {
      this.#events.failed(error);
    } finally {
      this.#flushing = false;
    }
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
