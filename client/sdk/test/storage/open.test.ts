import { IDBKeyRange } from "fake-indexeddb";
import { afterEach, expect, test, vi } from "vitest";
import { Disk, reaches, withoutRoom } from "../device";
import { passing } from "../passing";

const auth = { account: "ada", token: () => null };

test("accounts do not see each other's data, nor a guest's", async () => {
  const disk = new Disk();
  for (const each of [auth, { ...auth, account: "grace" }, null]) {
    const { store, tasks } = disk.open({ serverUrl: "http://127.0.0.1:1", auth: each });
    expect(await tasks.count()).toBe(0);
    await tasks.insert({ title: "mine" });
    await store.close();
  }
});

test("a database that was evicted is noticed", async () => {
  const disk = new Disk();
  const before = disk.open({ serverUrl: "http://127.0.0.1:1", auth, autoSync: false });
  await before.tasks.insert({ title: "gone" });
  expect(before.store.status.error).toBeNull();
  await before.store.close();
  const [{ name }] = (await disk.indexedDB.databases()) as [{ name: string }];
  await new Promise((resolve) => {
    disk.indexedDB.deleteDatabase(name).onsuccess = resolve;
  });
  const after = disk.open({ serverUrl: "http://127.0.0.1:1", auth, autoSync: false });
  const { error } = await reaches(after.store, (status) => status.error !== null);
  expect(error).toMatchObject({ code: "storage_lost", lost: "evicted" });
  expect(await after.tasks.count()).toBe(0);
  await after.store.close();
  // It is told until somebody says that it was seen, and not again.
  const again = disk.open({ serverUrl: "http://127.0.0.1:1", auth, autoSync: false });
  await again.store.ready();
  expect(again.store.status).toMatchObject({ status: "error", error: { code: "storage_lost" } });
  again.store.acknowledge();
  expect(again.store.status.error).toBeNull();
  await again.tasks.insert({ title: "written when that was kept" });
  await again.store.close();
  const last = disk.open({ serverUrl: "http://127.0.0.1:1", auth, autoSync: false });
  await last.store.ready();
  expect(last.store.status.error).toBeNull();
  await last.store.close();
});

afterEach(() => void vi.useRealTimers());

/** A disk's engine that fails to open a database so often. Counts what is deleted. */
function failing(disk: Disk, error: string, times: number) {
  const seen = { deleted: 0 };
  const indexedDB = new Proxy(disk.indexedDB, {
    get(target, key) {
      if (key === "deleteDatabase") seen.deleted++;
      if (key !== "open") {
        const member = Reflect.get(target, key) as unknown;
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      }
      return (...asked: [string, number]) => {
        if (times === 0) return target.open(...asked);
        times--;
        const request = new EventTarget() as IDBOpenDBRequest;
        const failed = new Event("error", { cancelable: true });
        Object.assign(request, { error: new DOMException("server lost", error) });
        Object.defineProperty(failed, "target", { value: request });
        setImmediate(() => request.onerror?.(failed));
        return request;
      };
    },
  });
  return { seen, around: { engine: { indexedDB, IDBKeyRange } } };
}

const given = { serverUrl: "http://127.0.0.1:1", auth, autoSync: false };

async function withUnsent() {
  const disk = new Disk();
  const before = disk.open(given);
  await before.tasks.insert({ id: "k", title: "unsent" });
  await before.store.close();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  return disk;
}

test.each([
  ["InvalidStateError", 1],
  ["DataError", 3],
  ["UnknownError", 8],
])("a database that fails to open with %s, %i times, is waited for", async (error, times) => {
  const disk = await withUnsent();
  const { seen, around } = failing(disk, error, times);
  const after = disk.open({ ...given, around });
  expect(await passing(after.tasks.query())).toMatchObject([{ id: "k" }]);
  expect(after.store.status.error).toBeNull();
  expect(seen.deleted).toBe(0);
  await after.store.close();
});

test("one that stays damaged is kept, and what it held unsent comes back when it can be read", async () => {
  const disk = await withUnsent();
  const { seen, around } = failing(disk, "InvalidStateError", 7);
  const second = disk.open({ ...given, around });
  expect(await passing(second.tasks.query())).toEqual([]);
  expect(second.store.status.error).toMatchObject({ code: "storage_lost", lost: "unreadable" });
  await second.tasks.insert({ id: "l", title: "in the next place" });
  await second.store.close();
  expect(seen.deleted).toBe(0);
  vi.useRealTimers();

  for (let visit = 0; visit < 2; visit++) {
    const third = disk.open(given);
    const both = new Promise<void>((resolve) => {
      third.tasks.live().subscribe((found) => found.length === 2 && resolve());
    });
    await both;
    expect(await third.tasks.get("k")).toMatchObject({ title: "unsent" });
    // Nothing is lost any more.
    await reaches(third.store, ({ pending, error }) => pending === 2 && error === null);
    await third.store.close();
  }
});

test("what a guest has lost is told to the account that the guest becomes", async () => {
  const disk = new Disk();
  const before = disk.open({ ...given, auth: null });
  await before.store.ready();
  await before.store.close();
  await disk.evict();
  const { store } = disk.open({ ...given, auth: null });
  await store.signIn(auth);
  expect(store.status.error?.code).toBe("storage_lost");
  await store.signOut({ unsynced: "discard" });
  expect(store.status.error).toBeNull();
  await store.close();
});

test("a browser whose local storage is full or forbidden keeps nobody from working", async () => {
  const full = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const markers = { getItem: full, setItem: full, removeItem: full };
  const { store, tasks } = new Disk().open({ ...given, around: { markers } });
  await tasks.insert({ id: "k", title: "written" });
  expect(await tasks.count()).toBe(1);
  await store.signOut({ unsynced: "discard" });
  expect(await tasks.count()).toBe(0);
  await store.close();
});

test("a new index finds what was written before it", async () => {
  const disk = new Disk();
  const before = disk.open();
  await before.tasks.insert({ id: "k", title: "old" });
  await before.store.close();
  const after = disk.open({ indexes: ["n", "title"] });
  expect(await after.tasks.query({ filter: { title: "old" } })).toHaveLength(1);
  await after.store.close();
});

test("a browser without room says so, and the write is not half there", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open();
  await store.ready();
  await withoutRoom(async () => {
    await expect(tasks.insert({ title: "too much" })).rejects.toMatchObject({ code: "quota" });
  });
  expect(await tasks.count()).toBe(0);
  await tasks.insert({ title: "now there is" });
  await store.close();
});

test("a browser without room lets no guest move in, and the guest stays whole", async () => {
  const { store, tasks } = new Disk().open({ serverUrl: "http://127.0.0.1:1", autoSync: false });
  // The account's database is there from before: only what moves in finds no room.
  await store.signIn(auth);
  await store.signOut({ unsynced: "keep" });
  await tasks.insert({ id: "k", title: "a guest's" });
  await withoutRoom(async () => {
    await expect(store.signIn(auth)).rejects.toMatchObject({ code: "quota" });
  });
  expect([store.account, store.status.error]).toEqual([null, null]);
  expect(await tasks.query()).toMatchObject([{ id: "k" }]);
  await store.signIn(auth);
  expect(await tasks.query()).toMatchObject([{ id: "k" }]);
  await store.close();
});
