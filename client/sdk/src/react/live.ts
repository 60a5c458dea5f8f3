/** A live query as a hook. */
import { useMemo, useSyncExternalStore } from "react";
import type { Live } from "../index";

/**
 * The result of a live query, `undefined` before the first one. `asked` is what `make` depends on;
 * another query begins when it changes. An error of the query is thrown, for error boundaries.
 *
 *     const open = useLive(() => tasks.live({ filter: { project } }), [project]);
 */
export function useLive<R>(make: () => Live<R>, asked: readonly unknown[]): R | undefined {
  // What `make` depends on is the caller's to say.
  const reading = useMemo(() => new Reading(make()), asked);
  return useSyncExternalStore(reading.subscribe, reading.current, none);
}

/** A server has no device's data. */
const none = () => undefined;

/** The last result of a live query, kept while a component is shown and hidden again. */
class Reading<R> {
  readonly #live: Live<R>;
  #last: R | undefined;
  #fault: { error: unknown } | undefined;

  constructor(live: Live<R>) {
    this.#live = live;
  }

  readonly subscribe = (changed: () => void): (() => void) =>
    this.#live.subscribe(
      (result) => {
        this.#last = result;
        this.#fault = undefined;
        changed();
      },
      (error) => {
        this.#fault = { error };
        changed();
      },
    );

  readonly current = (): R | undefined => {
    if (this.#fault) throw this.#fault.error;
    return this.#last;
  };
}
