/** What a store tells, as values that whoever reads them shows again when they change. */
import { createSubscriber } from "svelte/reactivity";
import type { Live, LocalStore, Reading, Status } from "../index.js";

export interface Reactive<R> {
  readonly current: R;
}

/**
 * The result of a live query. What `make` reads may be reactive: another query begins when it
 * changes, and the last result stays until there is its own. It runs while something shows it.
 * Nothing is thrown: what shows the result would not show the next one.
 *
 *     const open = live(() => tasks.live({ filter: { project } }));
 *     {#each open.current ?? [] as task (task.id)} … {/each}
 */
export function live<R>(make: () => Live<R>): Reading<R> {
  let last: { of: Live<R>; result: R } | undefined;
  let fault: { of: Live<R>; error: unknown } | undefined;
  const asked = $derived.by(() => {
    const query = make();
    const read = createSubscriber((changed) =>
      query.subscribe(
        (result) => {
          last = { of: query, result };
          fault = undefined;
          changed();
        },
        (error) => {
          fault = { of: query, error };
          changed();
        },
      ),
    );
    return { query, read };
  });
  const now = () => {
    asked.read();
    return asked.query;
  };
  return {
    get current() {
      now();
      return last?.result;
    },
    get isStale() {
      const query = now();
      return last?.of !== query;
    },
    get error() {
      const query = now();
      return fault?.of === query ? fault.error : undefined;
    },
  };
}

/** The store's status. */
export function statusOf(store: LocalStore): Reactive<Status> {
  const read = createSubscriber((changed) => store.onStatus(changed));
  return {
    get current() {
      read();
      return store.status;
    },
  };
}
