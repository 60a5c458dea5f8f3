/**
 * What the store needs from the browser, in one place: clock, chance, network, storage, other
 * tabs. Outside a browser the missing parts are given, or done without.
 */
import { backoff } from "./core/backoff.js";
import { closed, SynclineError } from "./core/errors.js";
import type { Network } from "./sync/link.js";
import type { IndexedDb } from "./storage/database.js";

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

/** Says something on a channel to those who listen there, of whom this tab is none. */
export function sayOnce(name: string, { BroadcastChannel }: Surroundings, message: unknown): void {
  if (!BroadcastChannel) return;
  const channel = new BroadcastChannel(name);
  channel.postMessage(message);
  channel.close();
}

/**
 * Loads a part of the SDK, again and again if it cannot be had now, until `ended`. Errors: `stopped`.
 */
export async function loaded<T>(
  load: () => Promise<T>,
  around: Surroundings,
  ended: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    if (ended.aborted) throw closed();
    try {
      return await load();
    } catch {
      await pause(backoff(tries, around.random()), ended);
    }
  }
}

/** Loads a part of the SDK for somebody who waits for it. Errors: `unreachable`, `stopped`. */
export function part<T>(load: () => Promise<T>, ended: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(closed());
    if (ended.aborted) return stop();
    ended.addEventListener("abort", stop);
    load()
      .then(resolve, (cause: unknown) => {
        const message = "a part of the SDK could not be loaded";
        reject(new SynclineError("unreachable", message, { cause }));
      })
      .finally(() => ended.removeEventListener("abort", stop));
  });
}

/** The waits between tries to open a database grow no more after so many: to 4 s at most. */
const REOPEN_BACKOFF_MAX = 3;

/** Waits before a database is opened again, or until it is `ended`. */
export function pauseToReopen(tries: number, around: Surroundings, ended: AbortSignal) {
  return pause(backoff(Math.min(tries, REOPEN_BACKOFF_MAX), around.random()), ended);
}

/** Resolves then, or when it is `ended`. */
function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ended.aborted) return resolve();
    const timer = setTimeout(over, ms);
    function over() {
      clearTimeout(timer);
      ended.removeEventListener("abort", over);
      resolve();
    }
    ended.addEventListener("abort", over);
  });
}
