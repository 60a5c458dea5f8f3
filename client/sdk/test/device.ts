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

  /** Deletes all databases under whoever has them open, as a browser does that is short of room. */
  async evict(): Promise<void> {
    const found = await this.indexedDB.databases();
    for (const connection of this.#connections) forceCloseDatabase(connection as never);
    this.#connections.clear();
    const deleted = found.map(
      ({ name }) =>
        new Promise((resolve) => {
          this.indexedDB.deleteDatabase(name!).onsuccess = resolve;
        }),
    );
    await Promise.all(deleted);
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
