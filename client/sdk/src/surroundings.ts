/**
 * What the store needs from the browser, in one place: clock, chance, network, storage, other
 * tabs. Outside a browser the missing parts are given, or done without.
 */
import { backoff } from "./core/backoff";
import type { Network } from "./sync/link";
import type { IndexedDb } from "./storage/database";

export interface Surroundings extends Network {
  /** Milliseconds since 1970 by the device's clock, which may be wrong. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** Where the database lives; the browser's own if not given. */
  engine?: IndexedDb;
  /** Decides which tab talks to the hub. Without it, this is the only one. */
  locks?: LockManager;
  BroadcastChannel?: typeof BroadcastChannel;
  storage?: StorageManager;
  /** Outlives the database, so that its eviction is noticed. */
  markers?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  /** Tells `online`. */
  events?: Pick<EventTarget, "addEventListener" | "removeEventListener">;
  /** Whether the user sees this tab. Only such a tab replaces one that does not answer. */
  isVisible(): boolean;
}

export function surroundings(given: Partial<Surroundings> = {}): Surroundings {
  const all = globalThis as typeof globalThis & { navigator?: Partial<Navigator> };
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    WebSocket: all.WebSocket,
    fetch: (...asked) => all.fetch(...asked),
    locks: all.navigator?.locks,
    BroadcastChannel: all.BroadcastChannel,
    storage: all.navigator?.storage,
    markers: markersOf(all),
    events: typeof all.addEventListener === "function" ? all : undefined,
    isVisible: () => typeof document === "undefined" || document.visibilityState === "visible",
    ...given,
  };
}

/** A page may be forbidden to have any. */
function markersOf(all: { localStorage?: Storage }): Storage | undefined {
  try {
    return all.localStorage;
  } catch {
    return undefined;
  }
}

/** Loads a part of the SDK, again and again if it cannot be had now. */
export async function loaded<T>(load: () => Promise<T>, around: Surroundings): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoff(tries, around.random())));
    }
  }
}
