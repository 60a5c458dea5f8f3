/** The store's surface: what it keeps away from the app, and the other way round. */
import { IDBKeyRange } from "fake-indexeddb";
import { afterEach, expect, test, vi } from "vitest";
import {
  createLocalCollection,
  createLocalStore,
  type Identified,
  type LocalCollection,
  type Write,
} from "../src/index";
import { Disk } from "./device";

afterEach(() => void vi.restoreAllMocks());

const offline = {
  serverUrl: "http://127.0.0.1:1",
  auth: { account: "ada", token: () => null },
  autoSync: false,
};

test("a listener that throws keeps nobody from anything, and is told as a fault", async () => {
  const faults = vi.spyOn(console, "error").mockImplementation(() => {});
  const { store, tasks } = new Disk().open(offline);
  const pending: number[] = [];
  const fault = new Error("of the page");
  const end = store.onStatus(() => {
    throw fault;
  });
  store.onStatus((status) => void pending.push(status.pending));
  await tasks.insert({ title: "written" });
  expect(await tasks.count()).toBe(1);
  expect(new Set(pending)).toEqual(new Set([0, 1]));
  expect(faults).toHaveBeenCalledWith(fault);
  end();
  await store.close();
});

test("what is asked of a closed store fails as stopped, in whatever words", async () => {
  const { store, tasks } = new Disk().open(offline);
  const write: Write = await tasks.insert({ id: "k", title: "written" });
  const waiting = [write.synced(), store.caughtUp()];
  for (const one of waiting) one.catch(() => {});
  await store.close();
  const told = await Promise.allSettled([
    ...waiting,
    write.synced(),
    store.caughtUp(),
    tasks.get("k"),
    tasks.query(),
    tasks.count(),
    tasks.insert({ title: "too late" }),
    store.rejected.list(),
    store.rejected.retry(1),
    store.rejected.discard(1),
  ]);
  for (const one of told)
    expect(one).toMatchObject({ reason: { name: "SynclineError", code: "stopped" } });
});

test("signing out without a choice changes nothing", async () => {
  const { store, tasks } = new Disk().open(offline);
  await tasks.insert({ title: "unsent" });
  await expect(store.signOut({} as never)).rejects.toMatchObject({ code: "value_invalid" });
  expect([store.account, await tasks.count()]).toEqual(["ada", 1]);
  await store.close();
});

test("a store that could not be opened can be closed", async () => {
  const engine = { indexedDB: undefined as never, IDBKeyRange };
  const { store, tasks } = new Disk().open({ ...offline, around: { engine } });
  await expect(store.ready()).rejects.toMatchObject({ name: "SynclineError" });
  await expect(tasks.query()).rejects.toMatchObject({ code: store.status.error?.code });
  await store.close();
});

test("an update may name and hold what an insert may, and no more", async () => {
  const { store, tasks } = new Disk().open(offline);
  await tasks.insert({ id: "k", title: "written" });
  const lone = "\ud800";
  const own = JSON.parse('{"__proto__": 1}') as object;
  const invalid = [
    [{ [lone]: 1 }, "value_invalid"],
    [{ "a\0": 1 }, "nul_in_string"],
    [own, "value_invalid"],
    [{ title: new Date(0) }, "value_invalid"],
    [{ title: "a\0" }, "nul_in_string"],
    [{ title: "x".repeat(1 << 20) }, "mutation_too_large"],
  ] as const;
  for (const [fields, code] of invalid) {
    await expect(tasks.insert(fields as never)).rejects.toMatchObject({ code });
    await expect(tasks.update("k", fields as never)).rejects.toMatchObject({ code });
  }
  for (const fields of [{ title: undefined }, { id: "l" }])
    await expect(tasks.update("k", fields as never)).rejects.toMatchObject({
      code: "value_invalid",
    });
  // A whole record may be written back.
  await tasks.update("k", { ...(await tasks.get("k")), title: "again" } as never);
  expect(await tasks.get("k")).toEqual({ id: "k", title: "again" });
  await store.close();
});

test("a store that is given what it cannot have takes none of it", async () => {
  const make = (name: string) => createLocalCollection<Identified>({ name });
  const open = (...collections: LocalCollection<Identified>[]) =>
    createLocalStore({ appId: "todo", collections, surroundings: new Disk().surroundings() });
  const [one, two, taken] = [make("one"), make("two"), make("taken")];
  const other = open(taken);
  expect(() => open(one, two, taken)).toThrow(
    expect.objectContaining({ code: "collection_taken" }),
  );
  const twice = () => open(one, two, make("one"));
  expect(twice).toThrow(expect.objectContaining({ code: "collection_duplicate" }));
  const store = open(one, two);
  await one.insert({ id: "k" });
  expect(await one.count()).toBe(1);
  for (const each of [store, other]) await each.close();
});
