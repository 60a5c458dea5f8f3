import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, reaches, type Task } from "../device";
import { passes } from "../eventually";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

test("a database that is deleted under the store is filled again, and the loss is told", async () => {
  const auth = { account: "evicted", token: () => hub.token("evicted") };
  const disk = new Disk();
  const device = disk.open({ serverUrl: hub.url, auth });
  await device.tasks.insert({ id: "sent", title: "at the hub" });
  await device.store.caughtUp();
  device.store.stopSync();
  const lost = await device.tasks.insert({ id: "unsent", title: "only here" });
  let shown: string[] = [];
  let told = () => {};
  device.tasks.live().subscribe((found: Task[]) => {
    shown = found.map((one) => one.id);
    told();
  });
  const shows = (...ids: string[]) =>
    new Promise<void>((resolve) => {
      told = () => void (shown.join() === ids.join() && resolve());
      told();
    });
  await shows("sent", "unsent");

  const waiting = lost.synced();
  waiting.catch(() => {});
  await disk.evict();
  await shows();
  const { error } = await reaches(device.store, (status) => status.error !== null);
  expect(error?.code).toBe("storage_lost");
  for (const told of [waiting, lost.synced()])
    await expect(told).rejects.toMatchObject({ code: "stopped" });
  device.store.startSync();
  await shows("sent");
  // It syncs again, and the loss is told until it was seen, also to a tab that comes later.
  await device.store.caughtUp();
  const another = disk.open({ serverUrl: hub.url, auth, autoSync: false });
  await another.store.ready();
  for (const { store } of [device, another])
    expect(store.status).toMatchObject({ status: "error", error: { code: "storage_lost" } });
  device.store.acknowledge();
  expect(device.store.status).toMatchObject({ status: "synced", error: null });
  await reaches(another.store, ({ error }) => error === null);
  await another.store.close();
  // What was being written at that moment may have failed before.
  expect(device.store.errors[0]).toMatchObject({ code: "storage_lost" });
  // Numbers begin anew: what is written now has the one of what is lost.
  const later = await device.tasks.insert({ id: "later", title: "written afterwards" });
  expect(await later.synced()).toBe("applied");
  await expect(lost.synced()).rejects.toMatchObject({ code: "stopped" });
  await device.store.caughtUp();
  expect(device.store.status).toMatchObject({ status: "synced", error: null });
  expect(Object.keys(await hub.holds("evicted")).sort()).toEqual(["tasks/later", "tasks/sent"]);
  await device.store.close();
});

test("who waits for the hub while the database is deleted goes on waiting", async () => {
  const auth = { account: "waits", token: () => hub.token("waits") };
  const disk = new Disk();
  const { store, tasks } = disk.open({ serverUrl: hub.url, auth, autoSync: false });
  await tasks.insert({ id: "unsent", title: "only here" });
  const waiting = store.caughtUp();
  await disk.evict();
  store.startSync();
  await waiting;
  expect([await tasks.count(), store.pendingChanges]).toEqual([0, 0]);
  await store.close();
});

test("of two tabs whose database is evicted the one that opens it later is not signed out", async () => {
  const auth = { account: "later", token: () => hub.token("later") };
  const disk = new Disk();
  const given = { serverUrl: hub.url, auth };
  let isHeld = false;
  const held: (() => void)[] = [];
  // Opens it as soon as it is let.
  const open = (name: string, version?: number) => {
    if (!isHeld) return disk.indexedDB.open(name, version);
    const asked = new EventTarget() as unknown as Record<string, unknown>;
    held.push(() => {
      const real = disk.indexedDB.open(name, version);
      for (const member of ["result", "transaction", "error"] as const)
        Object.defineProperty(asked, member, { get: () => real[member] });
      for (const event of ["onsuccess", "onerror", "onupgradeneeded", "onblocked"] as const)
        real[event] = (told: Event) =>
          (asked[event] as ((told: Event) => void) | undefined)?.(told);
    });
    return asked as unknown as IDBOpenDBRequest;
  };
  const engine = disk.surroundings().engine!;
  const indexedDB = new Proxy(engine.indexedDB, {
    get(target, key) {
      if (key === "open") return open;
      const member = Reflect.get(target, key) as unknown;
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const first = disk.open({ ...given, around: disk.tabs });
  const second = disk.open({
    ...given,
    around: { ...disk.tabs, engine: { ...engine, indexedDB } },
  });
  await (await first.tasks.insert({ id: "1", title: "at the hub" })).synced();
  await second.store.caughtUp();
  const accounts: (string | null)[] = [];
  second.store.onStatus(({ account }) => accounts.push(account));
  isHeld = true;
  await disk.evict();
  await first.store.caughtUp();
  const write = second.tasks.insert({ id: "2", title: "while it is not open" });
  await first.tasks.insert({ id: "3", title: "by the tab that is faster" });
  await passes(() => expect(held).not.toEqual([]));
  isHeld = false;
  for (const go of held) go();
  expect(await (await write).synced()).toBe("applied");
  expect(new Set(accounts)).toEqual(new Set(["later"]));
  expect(Object.keys(await hub.holds("later")).sort()).toEqual(["tasks/1", "tasks/2", "tasks/3"]);
  for (const { store } of [second, first]) await store.close();
});
