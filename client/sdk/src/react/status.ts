/** What a store tells of its syncing, as hooks. */
import { useCallback, useRef, useSyncExternalStore } from "react";
import type { LocalStore, Rejected, Status } from "../index";
import { useStore } from "./context";
import { useLive } from "./live";

/** The status of the store, by default that of the `StoreProvider`. */
export function useStatus(given?: LocalStore): Status {
  const store = useGiven(given);
  // A store makes a new object each time it is asked; React wants the same until it is told.
  const last = useRef<{ of: LocalStore; status: Status }>(undefined);
  const current = () => {
    if (last.current?.of !== store) last.current = { of: store, status: store.status };
    return last.current.status;
  };
  const subscribe = useCallback(
    (changed: () => void) =>
      store.onStatus((status) => {
        last.current = { of: store, status };
        changed();
      }),
    [store],
  );
  return useSyncExternalStore(subscribe, current, current);
}

/** The writes the hub refused for good, the oldest first. */
export function useRejected(given?: LocalStore): Rejected[] {
  const store = useGiven(given);
  return useLive(() => store.rejected.live(), [store]) ?? NONE;
}

const NONE: Rejected[] = [];

/** Hooks are called alike in every rendering: a component that gives a store gives one always. */
function useGiven(given: LocalStore | undefined): LocalStore {
  return given ?? useStore();
}
