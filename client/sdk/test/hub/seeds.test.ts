/** What becomes of what a guest began with, when the guest signs in to an account that has its own data. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, type Task } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const seed: Task[] = [
  { id: "welcome", title: "Try me" },
  { id: "second", title: "Delete me" },
  { id: "third", title: "Tick me off", done: false },
];
const given = () => ({ serverUrl: hub.url, seed });
const account = (user: string) => ({ account: user, token: () => hub.token(user) });

/** An account that began with the seeds and made something of them. Returns what the hub holds of it. */
async function begun(user: string) {
  const { store, tasks } = new Disk().open({ ...given(), auth: account(user) });
  await store.caughtUp();
  for (const { id } of seed) await tasks.update(id, { title: `${id} of the account`, done: true });
  await store.caughtUp();
  await store.close();
  return hub.holds(user);
}

/** An account that has data and never had a seed. */
async function without(user: string) {
  const { store, tasks } = new Disk().open({ serverUrl: hub.url, auth: account(user) });
  await tasks.insert({ id: "server", title: "from the account" });
  await store.caughtUp();
  await store.close();
  return hub.holds(user);
}

test("what a guest tidied away of the seeds stays in the account, and was done all the same", async () => {
  const before = await begun("tidied");
  const { store, tasks } = new Disk().open(given());
  const write = await tasks.delete("welcome");
  const synced = write.synced();
  await store.write([
    tasks.edits.delete("second"),
    tasks.edits.insert({ id: "mine", title: "the guest's" }),
  ]);
  await tasks.update("third", { done: true });
  await tasks.delete("third");
  await store.signIn(account("tidied"), "merge");
  await store.caughtUp();
  expect(await hub.holds("tidied")).toEqual({ ...before, "tasks/mine": { title: "the guest's" } });
  expect(await store.rejected.list()).toEqual([]);
  expect(await synced).toBe("applied");
  expect(await write.synced()).toBe("applied");
  await store.close();
});

test("what was deleted and brought back, or ticked and unticked, is as if it were untouched", async () => {
  const before = await begun("undone");
  const { store, tasks } = new Disk().open(given());
  const record = (await tasks.get("welcome"))!;
  await tasks.delete("welcome");
  await tasks.insert(record);
  await tasks.update("third", { done: true, n: 3 } as Partial<Task>);
  await tasks.update("third", { done: false, n: null } as unknown as Partial<Task>);
  await store.signIn(account("undone"), "merge");
  await store.caughtUp();
  expect(await hub.holds("undone")).toEqual(before);
  await store.close();
});

test("an account that has data and no seeds gets none but those the guest edited", async () => {
  const before = await without("none");
  const { store, tasks } = new Disk().open(given());
  await tasks.insert({ id: "mine", title: "the guest's" });
  await tasks.update("third", { title: "Made mine" });
  await store.signIn(account("none"), "merge");
  await store.caughtUp();
  const merged = {
    ...before,
    "tasks/mine": { title: "the guest's" },
    "tasks/third": { title: "Made mine", done: false },
  };
  expect(await hub.holds("none")).toEqual(merged);
  expect(await tasks.count()).toBe(3);
  expect(await store.rejected.list()).toEqual([]);
  await store.close();
});

test("an account nobody has written to begins with the seeds but for those the guest deleted", async () => {
  const { store, tasks } = new Disk().open(given());
  await tasks.delete("second");
  await tasks.update("third", { done: true });
  await store.signIn(account("new"), "merge");
  await store.caughtUp();
  await store.caughtUp();
  const held = {
    "tasks/welcome": { title: "Try me" },
    "tasks/third": { title: "Tick me off", done: true },
  };
  expect(await hub.holds("new")).toEqual(held);
  await store.close();
});

test("a seed that is edited after a sign-in that broke off moves whole, and is deleted after it", async () => {
  await without("broken");
  const { store, tasks } = new Disk().open(given());
  const breakOff = async () => {
    const { clear } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.clear = () => {
      throw new DOMException("the tab was closed", "AbortError");
    };
    await expect(store.signIn(account("broken"))).rejects.toThrow();
    IDBObjectStore.prototype.clear = clear;
  };
  await breakOff();
  await tasks.update("welcome", { title: "Made mine" });
  await tasks.update("second", { title: "Made mine too" });
  await breakOff();
  await tasks.delete("second");
  await store.signIn(account("broken"));
  await store.caughtUp();
  expect(await hub.holds("broken")).toEqual({
    "tasks/server": { title: "from the account" },
    "tasks/welcome": { title: "Made mine" },
  });
  expect(await store.rejected.list()).toEqual([]);
  await store.close();
});
