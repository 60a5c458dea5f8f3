/** A live query as a hook. */
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Live, Reading } from "../index.js";

/**
 * The result of a live query. `asked` is what `make` depends on: another query begins when it
 * changes, and the last result stays until there is its own.
 *
 *     const { current: open = [] } = useLive(() => tasks.live({ filter: { project } }), [project]);
 */
export function useLive<R>(make: () => Live<R>, asked: readonly unknown[]): Reading<R> {
  const before = useRef<Running<R>>(undefined);
  // What `make` depends on is the caller's to say.
  const query = useMemo(() => new Running(make(), before.current?.read().current), asked);
  useEffect(() => void (before.current = query), [query]);
  return useSyncExternalStore(query.subscribe, query.read, none);
}

const NONE = { current: undefined, isStale: true, error: undefined };

/** A server has no device's data. */
const none = () => NONE;

/** One query, and what it told last, kept while a component is shown and hidden again. */
class Running<R> {
  readonly #live: Live<R>;
  #read: Reading<R>;

  /** `current`: the last result of what was asked before. */
  constructor(live: Live<R>, current: R | undefined) {
    this.#live = live;
    this.#read = { ...NONE, current };
  }

  readonly subscribe = (changed: () => void): (() => void) => {
    const tell = (read: Reading<R>) => {
      this.#read = read;
      changed();
    };
    return this.#live.subscribe(
      (current) => tell({ current, isStale: false, error: undefined }),
      (error) => tell({ ...this.#read, error }),
    );
  };

  readonly read = (): Reading<R> => this.#read;
}
