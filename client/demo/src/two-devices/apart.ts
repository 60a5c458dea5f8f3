/** Surroundings that keep a device apart from others in the same page, as if it were alone. */
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
    // Otherwise the devices would take each other for tabs.
    locks: undefined,
    BroadcastChannel: undefined,
  };
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
