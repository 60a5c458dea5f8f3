/** A tab whose account another tab signs out, at whatever moment, and one that has nowhere to go then. */
import { IDBKeyRange } from "fake-indexeddb";
import { expect, test, vi } from "vitest";
import type { Session } from "../../src/session";
import { Disk, reaches } from "../device";
import { passes } from "../eventually";

const auth = { account: "ada", token: () => null };
const given = { serverUrl: "http://127.0.0.1:1", autoSync: false };
const GUEST = "syncline/todo/guest";
const ADA = "syncline/todo/user/ada";

/** What happens when a guest has moved in and the account is not the store's yet. */
let whenMovedIn: (account: Session) => Promise<void> = async () => {};
vi.mock("../../src/guest", async (original) => {
  const { moveIn } = await original<typeof import("../../src/guest")>();
  return {
    moveIn: async (...asked: Parameters<typeof moveIn>) => {
      await moveIn(...asked);
      await whenMovedIn(asked[1]);
    },
  };
});

/** What a tab is given that cannot open the databases of some names for a while. */
function without(disk: Disk, ...names: string[]) {
  const missing = new Set(names);
  const indexedDB = new Proxy(disk.indexedDB, {
    get: (target, key) => {
      const member = Reflect.get(target, key) as unknown;
      if (typeof member !== "function") return member;
      return (...asked: unknown[]): unknown => {
        if (key === "open" && missing.has(asked[0] as string))
          throw new DOMException("no room", "QuotaExceededError");
        return member.apply(target, asked);
      };
    },
  });
  return { missing, around: { engine: { indexedDB, IDBKeyRange } } };
}

test("an account that is signed out while a guest signs in to it is not the guest's", async () => {
  const disk = new Disk();
  let looked = () => {};
  const markers = {
    ...disk.markers,
    getItem: (key: string) => (key === ADA && looked(), disk.markers.getItem(key)),
  };
  const other = disk.open({ ...given, auth });
  await other.store.ready();
  const tab = disk.open({ ...given, around: { markers } });
  await tab.tasks.insert({ id: "k", title: "a guest's" });
  whenMovedIn = async () => {
    await other.store.signOut({ unsynced: "discard" });
    // The tab that signs in looks, and has nobody to tell yet.
    await new Promise<void>((resolve) => (looked = resolve));
  };
  await tab.store.signIn(auth);
  whenMovedIn = async () => {};
  await reaches(tab.store, ({ account }) => account === null);
  await tab.tasks.insert({ id: "l", title: "a guest's again" });
  expect(await other.tasks.query()).toMatchObject([{ id: "l" }]);
  for (const { store } of [tab, other]) await store.close();
});

test("two tabs that sign out at once are the same guest's", async () => {
  const disk = new Disk();
  const around = disk.tabs;
  const tabs = [disk.open({ ...given, auth, around }), disk.open({ ...given, auth, around })];
  for (const { store } of tabs) await store.ready();
  await Promise.all(tabs.map(({ store }) => store.signOut({ unsynced: "push" })));
  const [one, other] = tabs as [ReturnType<Disk["open"]>, ReturnType<Disk["open"]>];
  expect([one.store.account, other.store.account]).toEqual([null, null]);
  await one.tasks.insert({ id: "k", title: "a guest's" });
  expect(await other.tasks.query()).toMatchObject([{ id: "k" }]);
  for (const { store } of tabs) await store.close();
});

test("a tab that waits to have sent everything is signed out as well when another one does it", async () => {
  const disk = new Disk();
  const [tab, other] = [disk.open({ ...given, auth }), disk.open({ ...given, auth })];
  await tab.tasks.insert({ id: "k", title: "unsent" });
  const out = tab.store.signOut({ unsynced: "push" });
  await reaches(tab.store, ({ pending }) => pending === 1);
  await other.store.signOut({ unsynced: "discard" });
  await out;
  expect(tab.store.account).toBeNull();
  for (const { store } of [tab, other]) await store.close();
});

test("a sign-out that has nowhere to go changes nothing, and says so", async () => {
  const disk = new Disk();
  const { missing, around } = without(disk, GUEST);
  const { store, tasks } = disk.open({ ...given, auth, around });
  await tasks.insert({ id: "k", title: "unsent" });
  for (const unsynced of ["keep", "push", "discard"] as const)
    await expect(store.signOut({ unsynced })).rejects.toMatchObject({ code: "quota" });
  expect(store.status).toMatchObject({ account: "ada", error: null, pending: 1 });
  expect(await tasks.query()).toMatchObject([{ id: "k" }]);
  missing.clear();
  await store.signOut({ unsynced: "discard" });
  expect([store.account, await tasks.query()]).toEqual([null, []]);
  await store.close();
});

test.each([
  ["that another tab has signed out", GUEST],
  ["whose first database cannot be opened", ADA],
])("a store %s is not dead while there is no room: it says so, and goes on", async (_, name) => {
  const disk = new Disk();
  const { missing, around } = without(disk, name);
  const { store, tasks } = disk.open({ ...given, auth, around });
  if (name === GUEST) {
    await store.ready();
    const other = disk.open({ ...given, auth });
    await other.store.signOut({ unsynced: "discard" });
    await other.store.close();
  }
  await reaches(store, ({ error }) => error?.code === "quota");
  expect(store.account).toBeNull();
  await expect(tasks.insert({ title: "nowhere" })).rejects.toMatchObject({ code: "quota" });
  const shown: string[][] = [];
  tasks.live().subscribe((found) => shown.push(found.map(({ id }) => id)));
  missing.clear();
  await reaches(store, ({ error }) => error === null);
  expect(store.account).toBe(name === GUEST ? null : "ada");
  await tasks.insert({ id: "k", title: "written" });
  await passes(() => expect(shown.at(-1)).toEqual(["k"]));
  expect(store.errors).toMatchObject([{ code: "quota" }]);
  await store.close();
});

test("a write that is for an account is not that of who comes after it", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open({ ...given, auth });
  const write = (id: string) =>
    store.write([tasks.edits.insert({ id, title: "ada's" })], { account: "ada" });
  await write("a");
  await store.signOut({ unsynced: "keep" });
  await expect(write("b")).rejects.toMatchObject({ code: "signed_out" });
  const signingIn = store.signIn({ account: "bob", token: () => null });
  await expect(write("c")).rejects.toMatchObject({ code: "signed_out" });
  await signingIn;
  await expect(write("d")).rejects.toMatchObject({ code: "signed_out" });
  expect(await tasks.count()).toBe(0);
  await store.close();
});
