/** A device for tests: its own IndexedDB, in memory, which survives its store like a disk. */
import { forceCloseDatabase, IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { WebSocket as NodeSocket } from "ws";
import { channels, Locks } from "./locks";
import {
  createLocalCollection,
  createLocalStore,
  type Identified,
  type LocalStore,
  type Status,
  type StoreOptions,
  type Surroundings,
} from "../src/index";

export interface Task extends Identified {
  title: string;
  done?: boolean;
  n?: number;
}

/** What a test's store is given besides its own disk. */
export type Given = Partial<Omit<StoreOptions, "collections" | "surroundings">> & {
  around?: Partial<Surroundings>;
  seed?: Task[];
  indexes?: (keyof Task)[];
  /** The collections the app has, if not all. */
  only?: string[];
  pushDebounce?: number;
  pullInterval?: number;
};

/** A disk: what is left of a device when its store is gone. */
export class Disk {
  readonly indexedDB = new IDBFactory();
  readonly #marks = new Map<string, string>();
  readonly #connections = new Set<IDBDatabase>();
  /** How the tabs on it find each other; without them each believes to be the only one. */
  readonly tabs = { locks: new Locks() as unknown as LockManager, BroadcastChannel: channels() };
  readonly markers = {
    getItem: (key: string) => this.#marks.get(key) ?? null,
    setItem: (key: string, value: string) => void this.#marks.set(key, value),
    removeItem: (key: string) => void this.#marks.delete(key),
  };

  constructor() {
    const open = this.indexedDB.open.bind(this.indexedDB);
    this.indexedDB.open = (...asked) => {
      const request = open(...asked);
      request.addEventListener("success", () => this.#connections.add(request.result));
      return request;
    };
  }

  /** Closes all databases under whoever has them open, as a browser does whose files are gone for a while. */
  cutOff(): void {
    for (const connection of this.#connections) forceCloseDatabase(connection as never);
    this.#connections.clear();
  }

  /** Deletes all databases under whoever has them open, as a browser does that is short of room. */
  async evict(): Promise<void> {
    const found = await this.indexedDB.databases();
    this.cutOff();
    const deleted = found.map(
      ({ name }) =>
        new Promise((resolve) => {
          this.indexedDB.deleteDatabase(name!).onsuccess = resolve;
        }),
    );
    await Promise.all(deleted);
  }

  /** Another machine's disk with what is on this one, as a copied profile has it; no store is open on it. */
  async copied(): Promise<Disk> {
    const copy = new Disk();
    for (const [key, value] of this.#marks) copy.#marks.set(key, value);
    for (const { name, version } of await this.indexedDB.databases()) {
      const from = await asked(this.indexedDB.open(name!, version));
      const opening = copy.indexedDB.open(name!, version);
      opening.onupgradeneeded = () => {
        for (const store of from.objectStoreNames)
          makeLike(opening.result, from.transaction(store).objectStore(store));
      };
      const to = await asked(opening);
      for (const store of from.objectStoreNames) await copyRows(from, to, store);
      from.close();
      to.close();
    }
    return copy;
  }

  /** Opens the app on it. */
  open(given: Given = {}) {
    const {
      around,
      seed,
      only,
      indexes = ["n"],
      pushDebounce = 0,
      pullInterval = 20,
      ...options
    } = given;
    const tasks = createLocalCollection<Task>({
      name: "tasks",
      indexes,
      seed,
      sync: { pushDebounce, pullInterval },
    });
    const lists = createLocalCollection<Identified & { name: string }>({ name: "lists" });
    const store = createLocalStore({
      appId: "todo",
      ...options,
      collections: [tasks, lists].filter(({ name }) => only?.includes(name) ?? true),
      surroundings: { ...this.surroundings(), ...around },
    });
    return { store, tasks, lists };
  }

  /** What a store on it is given of a browser: it is the only tab. */
  surroundings(): Partial<Surroundings> {
    return {
      engine: { indexedDB: this.indexedDB, IDBKeyRange },
      WebSocket: NodeSocket as unknown as typeof WebSocket,
      markers: this.markers,
      locks: undefined,
      BroadcastChannel: undefined,
      // Coming back at once: nobody else is met by it.
      random: () => 0.02,
    };
  }
}

function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error as DOMException);
  });
}

function makeLike(db: IDBDatabase, store: IDBObjectStore): void {
  const { keyPath, autoIncrement } = store;
  const made = db.createObjectStore(store.name, { keyPath, autoIncrement });
  for (const name of store.indexNames) {
    const { keyPath, unique, multiEntry } = store.index(name);
    made.createIndex(name, keyPath, { unique, multiEntry });
  }
}

/** Copies the rows, and which number the next one gets. */
async function copyRows(from: IDBDatabase, to: IDBDatabase, name: string): Promise<void> {
  const there = from.transaction(name, "readwrite").objectStore(name);
  const rows: unknown[] = await asked(there.getAll());
  const next = there.autoIncrement ? ((await asked(there.add({}))) as number) : null;
  if (next !== null) await asked(there.delete(next));
  const here = to.transaction(name, "readwrite").objectStore(name);
  if (next !== null) {
    here.put({ n: next - 1 });
    here.delete(next - 1);
  }
  await Promise.all(rows.map((row) => asked(here.put(row))));
}

/** A browser that cannot open the first databases there were of a name, or of one, until it is told to. */
export function unreadable(disk: Disk, one?: string) {
  let isWell = false;
  const open = (name: string, version?: number) => {
    if (isWell || /^\d:/.test(name) || name !== (one ?? name))
      return disk.indexedDB.open(name, version);
    const asked = new EventTarget() as IDBOpenDBRequest;
    const failed = new Event("error", { cancelable: true });
    Object.assign(asked, { error: new DOMException("server lost", "DataError") });
    Object.defineProperty(failed, "target", { value: asked });
    setImmediate(() => asked.onerror?.(failed));
    return asked;
  };
  const indexedDB = new Proxy(disk.indexedDB, {
    get(target, key) {
      if (key === "open") return open;
      const member = Reflect.get(target, key) as unknown;
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  return { around: { engine: { indexedDB, IDBKeyRange } }, recovers: () => void (isWell = true) };
}

/** Does something while the browser has no room. */
export async function withoutRoom(work: () => Promise<void>): Promise<void> {
  const { add, put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.add = IDBObjectStore.prototype.put = () => {
    throw new DOMException("no room", "QuotaExceededError");
  };
  try {
    await work();
  } finally {
    Object.assign(IDBObjectStore.prototype, { add, put });
  }
}

/** Resolves with the first status for which `wanted` holds. */
export function reaches(store: LocalStore, wanted: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve) => {
    let found = false;
    const end = store.onStatus((status) => {
      if (found || !wanted(status)) return;
      found = true;
      resolve(status);
      queueMicrotask(() => end());
    });
  });
}
