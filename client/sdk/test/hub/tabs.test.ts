/** Tabs of one device, and what one does that takes no part in syncing. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

test("what is written in a tab that was stopped is sent by the one that leads", async () => {
  const auth = { account: "stopped", token: () => hub.token("stopped") };
  const disk = new Disk();
  const given = { serverUrl: hub.url, auth, around: disk.tabs };
  const leader = disk.open(given);
  await leader.store.caughtUp();
  const other = disk.open(given);
  await other.store.caughtUp();
  other.store.stopSync();
  const write = await other.tasks.insert({ id: "k", title: "by the tab that was stopped" });
  expect(await write.synced()).toBe("applied");
  for (const { store } of [other, leader]) await store.close();
});

/**
 * A tab that can be frozen: it says nothing then, and what it hears and that it lost its lock it notices
 * when it wakes.
 */
function freezing({ locks, BroadcastChannel }: Disk["tabs"]) {
  let isFrozen = false;
  let wake = () => {};
  let woken = Promise.resolve();
  const missed: (() => void)[] = [];
  const once = (work: () => void) => void (isFrozen ? missed.push(work) : work());
  class Channel extends BroadcastChannel {
    override postMessage(message: unknown) {
      if (!isFrozen) super.postMessage(message);
    }
    override set onmessage(heard: (event: MessageEvent) => void) {
      super.onmessage = (event) => once(() => heard(event));
    }
  }
  const request = async (...asked: Parameters<LockManager["request"]>) => {
    try {
      return (await locks.request(...asked)) as unknown;
    } catch (error) {
      await woken;
      throw error;
    }
  };
  return {
    around: { locks: { request } as unknown as LockManager, BroadcastChannel: Channel },
    freeze: () => {
      isFrozen = true;
      woken = new Promise((resolve) => (wake = resolve));
    },
    wakes: () => {
      isFrozen = false;
      for (const work of missed.splice(0)) work();
      wake();
    },
  };
}

test("a leader that was frozen and replaced tells nobody that it is offline, and learns what is", async () => {
  const auth = { account: "frozen", token: () => hub.token("frozen") };
  const disk = new Disk();
  const given = { serverUrl: hub.url, auth };
  const { around, freeze, wakes } = freezing(disk.tabs);
  const frozen = disk.open({ ...given, around });
  await frozen.store.caughtUp();
  const next = disk.open({ ...given, around: disk.tabs });
  const third = disk.open({ ...given, around: { ...disk.tabs, isVisible: () => false } });
  for (const { store } of [next, third]) await store.caughtUp();
  freeze();
  // The next one takes the lead, and shows that it begins by being offline.
  await reaches(third.store, ({ status }) => status === "offline");
  await reaches(third.store, ({ status }) => status === "synced");
  const told: string[] = [];
  for (const { store } of [next, third]) store.onStatus(({ status }) => told.push(status));
  wakes();
  await reaches(frozen.store, ({ status }) => status === "offline");
  await reaches(frozen.store, ({ status }) => status === "synced");
  await frozen.store.caughtUp();
  expect(told).not.toContain("offline");
  for (const { store } of [third, next, frozen]) await store.close();
});

test("a tab that takes the lead while there is no hub does not say that all is synced", async () => {
  const own = await Hub.start();
  const auth = { account: "dead", token: () => own.token("dead") };
  const disk = new Disk();
  const given = { serverUrl: own.url, auth };
  const { around, freeze } = freezing(disk.tabs);
  const leader = disk.open({ ...given, around });
  await leader.store.caughtUp();
  const next = disk.open({ ...given, around: disk.tabs });
  await next.store.caughtUp();
  // Its process is killed: it says nothing any more.
  freeze();
  await own.stop();
  await leader.store.close();
  await reaches(next.store, ({ status }) => status === "offline");
  await next.store.close();
});

test("a tab that does not lead has caught up when the one that leads has asked, over HTTP", async () => {
  const auth = { account: "asked", token: () => hub.token("asked") };
  const disk = new Disk();
  // Nobody asks of itself.
  const given = { serverUrl: hub.url, auth, transport: "http", pullInterval: 1e9 } as const;
  const leader = disk.open({ ...given, around: disk.tabs });
  await leader.store.caughtUp();
  const other = disk.open({ ...given, around: disk.tabs });
  await other.store.caughtUp();
  const elsewhere = new Disk().open({ serverUrl: hub.url, auth });
  await (await elsewhere.tasks.insert({ id: "k", title: "on another device" })).synced();
  await other.store.caughtUp();
  expect(await other.tasks.get("k")).toBeDefined();
  for (const { store } of [other, leader, elsewhere]) await store.close();
});

test("of tabs without locks one talks to the hub for all, and another when it is gone", async () => {
  const auth = { account: "plain", token: () => hub.token("plain") };
  const disk = new Disk();
  const given = { serverUrl: hub.url, auth, around: { ...disk.tabs, locks: undefined } };
  const first = disk.open(given);
  await first.store.caughtUp();
  const second = disk.open(given);
  await second.store.caughtUp();
  for (const [at, { tasks }] of [first, second].entries())
    expect(await (await tasks.insert({ id: `k${at}`, title: "sent" })).synced()).toBe("applied");
  for (const { store } of [first, second])
    await reaches(store, ({ status }) => status === "synced");
  await second.store.close();
  const later = await first.tasks.insert({ id: "later", title: "by the one that is left" });
  expect(await later.synced()).toBe("applied");
  await first.store.close();
});
