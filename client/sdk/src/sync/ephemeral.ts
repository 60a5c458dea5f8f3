/**
 * What devices of a space tell each other and nobody stores: who is there, and messages of the
 * moment. It knows what this device shows of itself and what others show while it is connected.
 */
import type { Json } from "../core/json.js";
import { callAll } from "../core/listeners.js";
import type { Ephemeral } from "../core/wire.js";

/** Two words of a presence are at least so far apart; of those in between the last one counts. */
const SHOW_EVERY_MS = 100;

export class EphemeralState {
  /** What this device shows; `null` is nothing. */
  own: Json | null = null;
  /** What others show, by their client id. */
  others = new Map<string, Json>();
  readonly #calls = new Set<(told?: Ephemeral) => void>();

  /** Calls back with what is told, and without anything when only `others` changed. */
  listen(call: (told?: Ephemeral) => void): () => void {
    this.#calls.add(call);
    return () => this.#calls.delete(call);
  }

  take(told: Ephemeral): void {
    if (told.t === "presence") {
      if (told.state === null) this.others.delete(told.client);
      else this.others.set(told.client, told.state);
    }
    callAll(this.#calls, told);
  }

  /** What others show, as another tab knows it; without a connection nobody is there. */
  exchange(others: Iterable<[string, Json]> = []): void {
    this.others = new Map(others);
    callAll(this.#calls);
  }
}

/** Decides when a presence is sent. */
export class Pace {
  readonly #send: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** There is something to send. */
  due(): void {
    this.#isDue = true;
    if (this.#timer === undefined) this.#next();
  }

  /** The hub was told too much, and what was sent last may be lost. */
  slow(ms: number): void {
    this.#isDue = true;
    this.#wait(ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
  }

  #next(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#wait(SHOW_EVERY_MS);
    this.#send();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next();
    }, ms);
  }
}
