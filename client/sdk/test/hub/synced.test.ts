/** What `synced()` and the status tell of a write, and when. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, type Given } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start({ HUB__LIMITS__RECORD_BYTES_MAX: "2048" });
});
afterAll(() => hub.stop());

const account = (user: string) => ({ account: user, token: () => hub.token(user) });
function open(user: string, given: Given = {}, disk = new Disk()) {
  return { disk, ...disk.open({ serverUrl: hub.url, auth: account(user), ...given }) };
}
const LARGE = "x".repeat(3_000);

test("a guest's write is followed into the account, whenever it is asked for", async () => {
  const guest = open("followed", { auth: null });
  const [early, late] = [
    await guest.tasks.insert({ id: "k", title: "by the guest" }),
    await guest.tasks.update("k", { title: "by the guest again" }),
  ];
  const waiting = early.synced();
  await guest.store.signIn(account("followed"));
  expect(await waiting).toBe("applied");
  expect(await late.synced()).toBe("applied");
  expect(await hub.holds("followed")).toEqual({ "tasks/k": { title: "by the guest again" } });
  await guest.store.close();
});

test("a refused write that is made again, altered, tells what became of that", async () => {
  const { store, tasks } = open("altered");
  const write = await tasks.insert({ id: "k", title: LARGE });
  const other = await tasks.insert({ id: "l", title: LARGE });
  for (const one of [write, other])
    await expect(one.synced()).rejects.toMatchObject({ code: "record_too_large" });
  const [refused, given] = await store.rejected.list();
  await store.rejected.retry(refused!.id);
  await expect(write.synced()).rejects.toMatchObject({ code: "record_too_large" });
  const [, again] = await store.rejected.list();
  await store.rejected.edit(again!.id, ([one]) => [{ ...one!, data: { title: "short" } } as never]);
  expect(await write.synced()).toBe("applied");
  await store.rejected.discard(given!.id);
  await expect(other.synced()).rejects.toMatchObject({ code: "stopped" });
  await store.close();
});

test.each(["merge", "keep-local"] as const)(
  "what another tab moves into the account is followed there: %s",
  async (choice) => {
    const disk = new Disk();
    const user = `other-tab-${choice}`;
    const [tab, other] = [open("x", { auth: null }, disk), open("x", { auth: null }, disk)];
    await tab.store.ready();
    const early = await other.tasks.insert({ id: "k", title: "by another tab" });
    const waiting = early.synced();
    const late = await other.tasks.insert({ id: "l", title: "by another tab" });
    const refused = choice === "merge" && (await other.tasks.insert({ id: "m", title: LARGE }));
    // The account has its own writes, so nothing has the same number there.
    const before = open(user, {}, disk);
    await before.tasks.insert({ id: "server", title: "by the account" });
    await before.store.caughtUp();
    await before.store.close();
    await tab.store.signIn(account(user), choice);
    expect(await waiting).toBe("applied");
    expect(await hub.holds(user)).toHaveProperty("tasks/k");
    expect(await late.synced()).toBe("applied");
    if (refused) await expect(refused.synced()).rejects.toMatchObject({ code: "record_too_large" });
    // The other tab is a new guest's, whose numbers begin anew.
    expect(other.store.account).toBeNull();
    const more = await other.tasks.insert({ id: "n", title: "by the next guest" });
    await other.store.signIn(account(user), "merge");
    expect(await more.synced()).toBe("applied");
    expect(await early.synced()).toBe("applied");
    for (const { store } of [tab, other]) await store.close();
  },
);

test("a write that moved and is given up in the account says so, and so does a closed store", async () => {
  const disk = new Disk();
  const user = "moved-given-up";
  const given = { auth: null, autoSync: false };
  const [tab, other] = [open("x", given, disk), open("x", given, disk)];
  await tab.store.ready();
  const write = await other.tasks.insert({ id: "k", title: "by another tab" });
  const waiting = [write.synced(), write.synced()];
  for (const one of waiting) one.catch(() => {});
  await tab.store.signIn(account(user));
  await tab.store.signOut({ unsynced: "discard" });
  for (const one of [...waiting, write.synced()])
    await expect(one).rejects.toMatchObject({ code: "stopped" });

  const again = await other.tasks.insert({ id: "l", title: "by the next guest" });
  const ends = again.synced();
  ends.catch(() => {});
  await tab.store.signIn(account(user));
  await other.store.close();
  await expect(ends).rejects.toMatchObject({ code: "stopped" });
  await tab.store.close();
});

test("what was given up with everything else is not told as applied", async () => {
  const disk = new Disk();
  const [tab, other] = [open("x", { auth: null }, disk), open("x", { auth: null }, disk)];
  await tab.store.ready();
  const write = await other.tasks.insert({ id: "k", title: "by another tab" });
  await tab.store.signIn(account("given-up"), "keep-server");
  await expect(write.synced()).rejects.toMatchObject({ code: "stopped" });
  for (const { store } of [tab, other]) await store.close();
});

test("the status counts a write when it is told to be durable, and none that is at the hub", async () => {
  const { store, tasks } = open("counted", { pushDebounce: 60_000 });
  await store.caughtUp();
  for (let at = 1; at <= 10; at++) {
    await tasks.insert({ title: "unsent" });
    expect(store.pendingChanges).toBeGreaterThanOrEqual(at);
    expect(store.syncStatus).not.toBe("synced");
  }
  await store.caughtUp();
  expect([store.pendingChanges, store.syncStatus]).toEqual([0, "synced"]);
  await store.close();
});

test("a write that is told to be at the hub is counted no more", async () => {
  const { store, tasks } = open("counted-at-once");
  await store.caughtUp();
  for (let at = 0; at < 10; at++) {
    await (await tasks.insert({ id: `k${at}`, title: "sent" })).synced();
    expect(store.pendingChanges).toBe(0);
  }
  await expect((await tasks.update("k1", { title: LARGE })).synced()).rejects.toThrow();
  expect(store.pendingChanges).toBe(0);
  await store.close();
});

test("a write that changes nothing is at the hub as it was written", async () => {
  const { store, tasks } = open("nothing");
  await (await tasks.insert({ id: "k", title: "once" })).synced();
  expect(await (await tasks.update("k", {})).synced()).toBe("applied");
  expect(await (await tasks.update("k", { title: "once" })).synced()).toBe("applied");
  await (await tasks.delete("k")).synced();
  expect(await (await tasks.delete("k")).synced()).toBe("applied");
  await store.close();
});

test("however many wait for their writes, each is asked for once", async () => {
  const seen = { looks: 0, requests: 0 };
  const looks = new WeakSet<IDBTransaction>();
  const { transaction } = IDBDatabase.prototype;
  // Dexie remembers it when a database is opened.
  IDBDatabase.prototype.transaction = function (names, mode, options) {
    const made = transaction.call(this, names, mode, options);
    if (mode === "readonly" && [names].flat().includes("settled")) {
      seen.looks++;
      looks.add(made);
    }
    return made;
  };
  const ended = countRequests((made) => looks.has(made) && seen.requests++);
  const { store, tasks } = open("together");
  await store.ready();
  IDBDatabase.prototype.transaction = transaction;
  const count = 500;
  const asked: Promise<string>[] = [];
  for (let at = 0; at < count; at++) {
    const write = await tasks.insert({ title: `t${at}` });
    asked.push(write.synced());
  }
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["applied"]));
  ended();
  expect(seen.looks).toBeGreaterThan(0);
  // Two for each that has its verdict, and a few for each look.
  expect(seen.requests).toBeLessThan(2 * count + 8 * seen.looks);
  await store.close();
});

/** Calls back with the transaction of every request that is made. Returns what ends it. */
function countRequests(call: (made: IDBTransaction) => void): () => void {
  const names = ["get", "getAll", "getAllKeys", "getKey", "count", "openCursor", "openKeyCursor"];
  const kinds = [IDBObjectStore.prototype, IDBIndex.prototype] as unknown as Record<
    string,
    (...asked: unknown[]) => IDBRequest
  >[];
  const before = kinds.map((kind) => names.map((name) => kind[name]!));
  for (const [at, kind] of kinds.entries())
    for (const [of, name] of names.entries())
      kind[name] = function (...asked) {
        const made = before[at]![of]!.apply(this, asked);
        if (made.transaction) call(made.transaction);
        return made;
      };
  return () => {
    for (const [at, kind] of kinds.entries())
      for (const [of, name] of names.entries()) kind[name] = before[at]![of]!;
  };
}
