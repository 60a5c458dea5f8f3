/**
 * Surroundings that keep a device apart from others in the same page. Another tab with the same devices,
 * such as a duplicate of this one, is another tab of each of them: they share database, lock and channel.
 */
import type { Surroundings } from "@syncline/sdk";

export function apart(device: string): Partial<Surroundings> {
  const named = (name: string) => `${device}:${name}`;
  return {
    engine: { indexedDB: prefixed(indexedDB, named), IDBKeyRange },
    markers: {
      getItem: (key) => localStorage.getItem(named(key)),
      setItem: (key, value) => localStorage.setItem(named(key), value),
      removeItem: (key) => localStorage.removeItem(named(key)),
    },
    // By their own names the devices would take each other for tabs.
    locks: prefixedLocks(navigator.locks, named),
    BroadcastChannel: class extends BroadcastChannel {
      constructor(name: string) {
        super(named(name));
      }
    },
  };
}

/** Locks under other names; there are none where a page is not secure. */
function prefixedLocks(
  locks: LockManager | undefined,
  named: (name: string) => string,
): LockManager | undefined {
  if (!locks) return undefined;
  const request = (name: string, ...asked: [unknown]) =>
    (locks.request as (...asked: unknown[]) => Promise<unknown>)(named(name), ...asked);
  return { request, query: () => locks.query() } as LockManager;
}

/** Databases under other names. */
function prefixed(engine: IDBFactory, named: (name: string) => string): IDBFactory {
  const before = named("");
  return {
    open: (name, version) => engine.open(named(name), version),
    deleteDatabase: (name) => engine.deleteDatabase(named(name)),
    cmp: (a, b) => engine.cmp(a, b),
    databases: async () =>
      (await engine.databases())
        .filter(({ name }) => name?.startsWith(before))
        .map((one) => ({ ...one, name: one.name?.slice(before.length) })),
  };
}
