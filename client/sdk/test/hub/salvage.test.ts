/** What becomes of a database that could not be opened for a while, and of what it holds. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Disk, unreadable } from "../device";
import { passes } from "../eventually";
import { Hub } from "../hub";

const KEY = "a-service-key-of-the-tests";

/** Looks at what was left in former places. */
const looks: Promise<unknown>[] = [];
vi.mock("../../src/storage/salvage", async (original) => {
  const { salvage, ...others } = await original<typeof import("../../src/storage/salvage")>();
  return {
    ...others,
    salvage: (...given: Parameters<typeof salvage>) => {
      const look = salvage(...given);
      looks.push(look);
      return look;
    },
  };
});

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start({ HUB__AUTH__SERVICE_KEY: KEY });
});
afterAll(() => hub.stop());
beforeEach(() => void (looks.length = 0));

const account = (user: string) => ({ account: user, token: () => hub.token(user) });

async function looked() {
  await passes(() => expect(looks).not.toEqual([]));
  await Promise.all(looks.splice(0));
}

test.concurrent(
  "what a guest's database held moves into one account and never into another",
  async () => {
    const disk = new Disk();
    const first = disk.open({ serverUrl: hub.url });
    await first.tasks.insert({ id: "secret", title: "of the first user" });
    await first.store.close();
    const second = disk.open({ serverUrl: hub.url, ...unreadable(disk) });
    await second.tasks.insert({ id: "new", title: "in the next place" });
    await second.store.close();
    const guest = disk.open({ serverUrl: hub.url });
    // At once: it waits for what can be read again.
    await guest.store.signIn(account("salvaged"));
    await guest.store.caughtUp();
    const held = Object.keys(await hub.holds("salvaged")).sort();
    expect(held).toEqual(["tasks/new", "tasks/secret"]);
    await guest.store.signOut({ unsynced: "push" });
    expect(await guest.tasks.query()).toEqual([]);
    await guest.store.close();
    const next = disk.open({ serverUrl: hub.url });
    await next.store.signIn(account("another"));
    await next.store.caughtUp();
    expect(await hub.holds("another")).toEqual({});
    expect(await next.tasks.query()).toEqual([]);
    await next.store.close();
  },
);

test("what was erased does not come back from a database that can be read again", async () => {
  const disk = new Disk();
  const given = { serverUrl: hub.url, auth: account("erased") };
  const first = disk.open(given);
  await first.tasks.insert({ id: "k", title: "synced" });
  await first.store.caughtUp();
  first.store.stopSync();
  await first.tasks.insert({ id: "unsent", title: "not sent" });
  await first.store.close();
  const second = disk.open({ ...given, ...unreadable(disk) });
  await second.store.caughtUp();
  expect(await second.tasks.count()).toBe(1);
  const gone = new Promise<void>((resolve) => {
    second.tasks.live().subscribe((found) => found.length === 0 && resolve());
  });
  const erased = await fetch(`${hub.url}/api/v1/admin/user-data/erased`, {
    method: "DELETE",
    headers: { "x-service-key": KEY },
  });
  expect(erased.status).toBe(200);
  await gone;
  // Nor is it left there.
  await passes(async () => {
    const names = (await disk.indexedDB.databases()).map(({ name }) => name);
    expect(names).toEqual(["2:syncline/todo/user/erased"]);
  });
  await second.store.close();
  looks.length = 0;
  const third = disk.open(given);
  await third.store.caughtUp();
  expect(await third.tasks.query()).toEqual([]);
  expect(await hub.holds("erased")).toEqual({});
  // It is not even looked at.
  expect(looks).toEqual([]);
  await third.store.close();
});

test("where no mark can be kept the last place is found by its name", async () => {
  const disk = new Disk();
  const markers = {
    getItem: () => null,
    removeItem: () => {},
    setItem: () => {
      throw new DOMException("full", "QuotaExceededError");
    },
  };
  const first = disk.open({ around: { markers } });
  await first.tasks.insert({ id: "k", title: "first" });
  await first.store.close();
  const second = disk.open({ around: { ...unreadable(disk).around, markers } });
  await second.tasks.insert({ id: "l", title: "second" });
  await second.store.close();
  looks.length = 0;
  const third = disk.open({ around: { markers } });
  await third.store.ready();
  await looked();
  expect((await third.tasks.query()).map(({ id }) => id).sort()).toEqual(["k", "l"]);
  await third.store.close();
});

test("what the hub took before a tab went to the next place was not discarded", async () => {
  const disk = new Disk();
  const given = { serverUrl: hub.url, auth: account("judged"), around: disk.tabs };
  const first = disk.open(given);
  const taken = await first.tasks.insert({ id: "taken", title: "at the hub" });
  await first.store.caughtUp();
  first.store.stopSync();
  const unsent = await first.tasks.insert({ id: "unsent", title: "not sent" });
  const { around } = unreadable(disk);
  const second = disk.open({ ...given, around: { ...disk.tabs, ...around } });
  await new Promise<void>((resolve) => {
    first.tasks.live().subscribe((found) => found.length === 2 && resolve());
  });
  // It has gone there when it shows what is only told there.
  await second.store.caughtUp();
  await second.tasks.insert({ id: "there", title: "in the next place" });
  await new Promise<void>((resolve) => {
    first.tasks.live().subscribe((found) => found.length === 3 && resolve());
  });
  first.store.startSync();
  expect(await taken.synced()).toBe("applied");
  expect(await unsent.synced()).toBe("applied");
  await first.store.close();
  await second.store.close();
});

test("a guest's tab learns what became of its write when the account has gone to another place", async () => {
  const disk = new Disk();
  const auth = account("followed");
  const given = { serverUrl: hub.url, autoSync: false, around: disk.tabs };
  const [guest, other] = [disk.open(given), disk.open(given)];
  const write = await other.tasks.insert({ id: "k", title: "by another tab" });
  await guest.store.signIn(auth);
  const told = write.synced();
  const { around } = unreadable(disk, "syncline/todo/user/followed");
  const third = disk.open({ ...given, auth, around: { ...disk.tabs, ...around } });
  // What the account has unsent goes along, and is sent from there.
  await new Promise<void>((resolve) => {
    third.tasks.live().subscribe((found) => found.length === 1 && resolve());
  });
  third.store.startSync();
  expect(await told).toBe("applied");
  for (const { store } of [guest, other, third]) await store.close();
});
