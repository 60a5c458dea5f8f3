/**
 * What this device remembers of notifications, in an IndexedDB database that its pages and its service
 * worker share: what it has shown, and where it was registered. Each use opens it and closes it again:
 * a worker may end at any time, and a connection that stays keeps others from deleting.
 */
import { SynclineError } from "../core/errors.js";

const NAME = "syncline-notifications";
const VERSION = 1;

/** Keys that are remembered, of all apps of the origin together; the oldest is forgotten for a new one. */
export const SHOWN_MAX = 1_000;

/** How this device is registered for Web Push. */
export interface Registered {
  app: string;
  /** Its id at the hub. */
  device: string;
  /** Where the hub sends to. */
  endpoint: string;
  /** The browser has given the subscription up: the hub sends to nobody until it is told of another. */
  isStale: boolean;
  /** Which address was registered again since the hub had lost it, and when, in milliseconds since 1970. */
  again?: { endpoint: string; at: number };
}

/**
 * Takes keys for whoever asks first. Returns those that nobody on this device took before, in their
 * order: theirs alone to show. One transaction, so that of two tabs and a worker one gets each.
 * Errors: `quota`, `storage`; then nothing was taken.
 */
export function claim(
  app: string,
  keys: readonly string[],
  engine?: IDBFactory,
): Promise<string[]> {
  return transact("shown", engine, async (shown) => {
    const byKey = shown.index("key");
    const fresh: string[] = [];
    for (const key of keys) {
      if ((await asked(byKey.getKey([app, key]))) !== undefined) continue;
      await asked(shown.add({ app, key }));
      fresh.push(key);
    }
    const over = (await asked(shown.count())) - SHOWN_MAX;
    const oldest = over > 0 ? await asked(shown.getAllKeys(null, over)) : [];
    for (const n of oldest) await asked(shown.delete(n));
    return fresh;
  });
}

/** What is shown at once. */
interface Showable {
  id: string;
  items: readonly { key: string }[];
  more: number;
}

/**
 * Whether this device has yet to show a notification. It is then the caller's to show: whoever asks
 * next is told that it was. It counts as shown if it was itself, or each thing it is about. Where
 * nothing can be remembered it is shown: twice is better than never.
 */
export async function claimShow(
  app: string,
  { id, items, more }: Showable,
  engine?: IDBFactory,
): Promise<boolean> {
  // What it is about may have been cut for want of room: so it has a key of its own.
  const own = `@notifications/${id}`;
  const fresh = await claim(app, [own, ...items.map(({ key }) => key)], engine).catch(() => null);
  if (fresh === null) return true;
  const isNamed = items.length > 0 && more === 0;
  return fresh[0] === own && (!isNamed || fresh.length > 1);
}

/** `undefined`: it is not registered. Errors: `quota`, `storage`. */
export function registered(app: string, engine?: IDBFactory): Promise<Registered | undefined> {
  return transact("push", engine, (push) => asked<Registered | undefined>(push.get(app)));
}

/** Errors: `quota`, `storage`. */
export function keepRegistered(row: Registered, engine?: IDBFactory): Promise<unknown> {
  return transact("push", engine, (push) => asked(push.put(row)));
}

/** Errors: `quota`, `storage`. */
export function forgetRegistered(app: string, engine?: IDBFactory): Promise<unknown> {
  return transact("push", engine, (push) => asked(push.delete(app)));
}

/** Every app's registration is to be renewed: they share the subscription. Errors: `quota`, `storage`. */
export function markStale(engine?: IDBFactory): Promise<void> {
  return transact("push", engine, async (push) => {
    for (const row of await asked<Registered[]>(push.getAll()))
      await asked(push.put({ ...row, isStale: true }));
  });
}

/** Does something in one transaction; returns once it is durable. */
async function transact<T>(
  table: "shown" | "push",
  engine: IDBFactory | undefined,
  work: (store: IDBObjectStore) => Promise<T>,
): Promise<T> {
  try {
    const db = await open(engine ?? indexedDB);
    try {
      const transaction = db.transaction(table, "readwrite");
      const ended = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error("it was aborted"));
      });
      // Seen below, unless the work fails first.
      ended.catch(() => {});
      const done = await work(transaction.objectStore(table));
      await ended;
      return done;
    } finally {
      db.close();
    }
  } catch (cause) {
    const isFull = (cause as Partial<DOMException> | null)?.name === "QuotaExceededError";
    const message = `notifications cannot be remembered: ${String(cause)}`;
    throw new SynclineError(isFull ? "quota" : "storage", message, { cause });
  }
}

function open(engine: IDBFactory): Promise<IDBDatabase> {
  const request = engine.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    const db = request.result;
    // Numbered, so that the oldest is known whatever the clock says.
    const shown = db.createObjectStore("shown", { autoIncrement: true });
    shown.createIndex("key", ["app", "key"], { unique: true });
    db.createObjectStore("push", { keyPath: "app" });
  };
  return asked(request);
}

function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("it failed"));
  });
}
