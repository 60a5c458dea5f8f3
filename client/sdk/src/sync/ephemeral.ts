/**
 * What devices of a space tell each other and nobody stores: who is there, and messages of the
 * moment. It knows what this device shows of itself and what others show while it is connected.
 */
import type { Json } from "../core/json.js";
import { callAll } from "../core/listeners.js";
import type { Ephemeral } from "../core/wire.js";

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
