/** Tabs of which one could not open the database that another has open: all end in the same place. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Disk, reaches, unreadable, withoutRoom, type Given } from "../device";
import { passing } from "../passing";

const auth = { account: "ada", token: () => null };
const given = { serverUrl: "http://127.0.0.1:1", autoSync: false };

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** Two tabs, of which the second could not open what the first has open. */
async function two(more: Given, hears: boolean, alone: Given["around"] = {}) {
  const disk = new Disk();
  const tabs = hears ? disk.tabs : {};
  const first = disk.open({ ...given, ...more, around: { ...tabs, ...alone } });
  await passing(first.tasks.insert({ id: "first", title: "by the first tab" }));
  const { around, recovers } = unreadable(disk);
  const second = disk.open({ ...given, ...more, around: { ...tabs, ...around } });
  await passing(second.tasks.insert({ id: "second", title: "by the second tab" }));
  const close = async () => {
    for (const { store } of [first, second]) await store.close();
  };
  return { disk, first, second, recovers, close };
}

/** Resolves when a tab shows these. */
function shows({ tasks }: ReturnType<Disk["open"]>, ...ids: string[]): Promise<void> {
  return passing(
    new Promise((resolve) => {
      tasks.live().subscribe((found) => {
        if (found.map(({ id }) => id).join() === ids.join()) resolve();
      });
    }),
  );
}

test.each([
  ["an account", { auth }],
  ["a guest", {}],
])("tabs of %s go on in one place, with all that was unsent", async (_, more) => {
  const { first, second, close } = await two(more, true);
  for (const tab of [first, second]) await shows(tab, "first", "second");
  await passing(first.tasks.update("second", { done: true }));
  expect(await passing(second.tasks.get("second"))).toMatchObject({ done: true });
  // Nothing is lost any more: all of it is here.
  await passing(reaches(second.store, ({ error, pending }) => error === null && pending === 3));
  await close();
});

test("a tab that hears nobody goes there when it looks at its mark", async () => {
  const { first, second, close } = await two({ auth }, false);
  await passing(first.tasks.insert({ id: "third", title: "in the former place" }));
  await shows(first, "first", "second", "third");
  await shows(second, "first", "second", "third");
  await close();
});

test("what was written in the former place is told of in the next", async () => {
  const { first, close } = await two({ auth }, false);
  const write = await passing(first.tasks.update("first", { done: true }));
  const told = write.synced();
  void told.catch(() => {});
  await shows(first, "first", "second");
  // It is still waited for, and discarded with everything else.
  await passing(first.store.signOut({ unsynced: "discard" }));
  await expect(told).rejects.toMatchObject({ code: "stopped" });
  await close();
});

test.each([
  ["the tab in the next place", "second", true],
  ["the tab in the next place, which nobody hears", "second", false],
  ["the tab in the former place", "first", true],
] as const)("a sign-out by %s is one of all", async (_, by, hears) => {
  const tabs = await two({ auth }, hears);
  const { disk, close } = tabs;
  await passing(tabs[by].store.signOut({ unsynced: "discard" }));
  const other = tabs[by === "first" ? "second" : "first"];
  await passing(reaches(other.store, ({ account }) => account === null));
  await passing(other.tasks.insert({ id: "guest", title: "by a guest" }));
  await shows(tabs[by], "guest");
  await close();
  // And nothing of what it held is left.
  const again = disk.open({ ...given, auth });
  expect(await passing(again.tasks.query())).toEqual([]);
  expect(again.store.pendingChanges).toBe(0);
  await again.store.close();
});

test("a sign-out that must leave nothing unsent finds what a frozen tab has in the former place", async () => {
  // It sees no mark and hears no word.
  const markers = { getItem: () => "1", setItem: () => {}, removeItem: () => {} };
  const { second, recovers, close } = await two({ auth }, false, { markers });
  await passing(second.store.rejected.list());
  recovers();
  const out = second.store.signOut({ unsynced: "push", within: 100 });
  await expect(passing(out)).rejects.toMatchObject({ code: "unsynced" });
  await shows(second, "first", "second");
  await close();
});

test("what only the tab that has it open can read goes along", async () => {
  const disk = new Disk();
  const tab = unreadable(disk);
  tab.recovers();
  let isOpen = false;
  const open = (name: string, version?: number) =>
    (isOpen ? unreadable(disk).around.engine.indexedDB : disk.indexedDB).open(name, version);
  const indexedDB = new Proxy(tab.around.engine.indexedDB, {
    get: (target, key) => (key === "open" ? open : (Reflect.get(target, key) as unknown)),
  });
  const engine = { ...tab.around.engine, indexedDB };
  const first = disk.open({ ...given, auth, around: { ...disk.tabs, engine } });
  await passing(first.tasks.insert({ id: "first", title: "by the first tab" }));
  isOpen = true;
  const second = disk.open({
    ...given,
    auth,
    around: { ...disk.tabs, ...unreadable(disk).around },
  });
  await passing(second.tasks.insert({ id: "second", title: "by the second tab" }));
  for (const shown of [first, second]) await shows(shown, "first", "second");
  await passing(reaches(second.store, ({ error }) => error === null));
  await first.store.close();
  await second.store.close();
});

test("a tab that finds no room in the next place goes on where it is", async () => {
  const { first, second, close } = await two({ auth }, false);
  await withoutRoom(async () => {
    await expect(passing(first.store.signOut({ unsynced: "keep" }))).rejects.toMatchObject({
      code: "quota",
    });
    expect(await passing(first.tasks.query())).toMatchObject([{ id: "first" }]);
  });
  await shows(second, "second");
  await passing(first.tasks.insert({ id: "third", title: "still here" }));
  await shows(first, "first", "second", "third");
  await shows(second, "first", "second", "third");
  await close();
});

test("a tab in a former place whose database stays is signed out too", async () => {
  // It sees no mark and hears no word.
  const markers = { getItem: () => "1", setItem: () => {}, removeItem: () => {} };
  const { disk, first, second } = await two({ auth }, false, { markers });
  await passing(second.store.close());
  // What can be read again, but is not deleted while the tab has it open.
  const { around, recovers } = unreadable(disk);
  recovers();
  const indexedDB = new Proxy(around.engine.indexedDB, {
    get: (target, key) =>
      key === "deleteDatabase" ? () => new EventTarget() : (Reflect.get(target, key) as unknown),
  });
  const third = disk.open({
    ...given,
    auth,
    around: { engine: { ...around.engine, indexedDB } },
  });
  await shows(third, "first", "second");
  await passing(third.store.signOut({ unsynced: "discard" }));
  // It is a guest's.
  await passing(reaches(first.store, ({ account }) => account === null));
  await passing(first.tasks.insert({ id: "late", title: "not of the account" }));
  await shows(first, "late");
  await passing(first.store.close());
  await passing(third.store.close());
});

test("a sign-out that waits for a database that cannot be opened again goes on in the next place", async () => {
  const disk = new Disk();
  const own = unreadable(disk);
  own.recovers();
  let isBroken = false;
  const broken = unreadable(disk).around.engine.indexedDB;
  const indexedDB = new Proxy(own.around.engine.indexedDB, {
    get: (target, key) => {
      const open = (name: string, version?: number) =>
        (isBroken ? broken : target).open(name, version);
      return key === "open" ? open : (Reflect.get(target, key) as unknown);
    },
  });
  const engine = { ...own.around.engine, indexedDB };
  const first = disk.open({ ...given, auth, around: { ...disk.tabs, engine } });
  await passing(first.tasks.insert({ id: "first", title: "by the first tab" }));
  isBroken = true;
  disk.cutOff();
  const out = first.store.signOut({ unsynced: "keep" });
  await passing(reaches(first.store, ({ error }) => error?.code === "storage"));
  const second = disk.open({
    ...given,
    auth,
    around: { ...disk.tabs, ...unreadable(disk).around },
  });
  await passing(second.store.ready());
  await passing(out);
  expect(first.store.account).toBeNull();
  await passing(first.store.close());
  await passing(second.store.close());
});
