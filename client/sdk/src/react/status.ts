/** What a store tells of its syncing, as hooks. */
import { useCallback, useSyncExternalStore } from "react";
import type { LocalStore, Rejected, Status } from "../index.js";
import { useGiven } from "./context.js";
import { useLive } from "./live.js";

/** The status of the store, by default that of the `StoreProvider`. */
export function useStatus(given?: LocalStore): Status {
  const store = useGiven(given);
  const subscribe = useCallback((changed: () => void) => store.onStatus(changed), [store]);
  return useSyncExternalStore(subscribe, () => statusNow(store), atFirst);
}

/** What each store told when it was last asked. */
const told = new WeakMap<LocalStore, { text: string; status: Status }>();

/**
 * A store makes a new object each time it is asked; React wants the same until there is news, and news
 * as soon as there is some: what is shown together is of one status.
 */
function statusNow(store: LocalStore): Status {
  const { status } = store;
  const text = JSON.stringify(status);
  const last = told.get(store);
  if (last?.text === text) return last.status;
  told.set(store, { text, status });
  return status;
}

const AT_FIRST: Status = {
  status: "offline",
  account: null,
  pending: 0,
  error: null,
  bootstrap: null,
};

/** On a server, and so in what a page shows before it is its own, there is a store that has just begun. */
const atFirst = () => AT_FIRST;

/** The writes the hub refused for good, the oldest first. */
export function useRejected(given?: LocalStore): Rejected[] {
  const store = useGiven(given);
  const { current, isStale } = useLive(() => store.rejected.live(), [store]);
  // Those of another store are nobody's to decide here.
  return isStale ? NONE : (current ?? NONE);
}

const NONE: Rejected[] = [];
