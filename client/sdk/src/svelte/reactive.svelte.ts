/** What a store tells, as values that whoever reads them shows again when they change. */
import { createSubscriber } from "svelte/reactivity";
import type { Live, LocalStore, Status } from "../index";

export interface Reactive<R> {
  readonly current: R;
}

/**
 * The result of a live query, and `undefined` before the first one. What `make` reads may be
 * reactive: another query begins when it changes, and the last result stays until there is its own.
 * It runs while something shows it. An error of the query is thrown, for `<svelte:boundary>`.
 *
 *     const open = live(() => tasks.live({ filter: { project } }));
 *     {#each open.current ?? [] as task (task.id)} … {/each}
 */
export function live<R>(make: () => Live<R>): Reactive<R | undefined> {
  let last: R | undefined;
  let fault: { error: unknown } | undefined;
  const read = $derived.by(() => {
    const asked = make();
    return createSubscriber((changed) =>
      asked.subscribe(
        (result) => {
          last = result;
          fault = undefined;
          changed();
        },
        (error) => {
          fault = { error };
          changed();
        },
      ),
    );
  });
  return {
    get current() {
      read();
      if (fault) throw fault.error;
      return last;
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
