/** Edits that stand on each other keep their order, whatever moves in between. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, type Given } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start({ HUB__LIMITS__RECORD_BYTES_MAX: "2048" });
});
afterAll(() => hub.stop());

test("what an account has unsent keeps its order when a guest's seed moves in", async () => {
  const auth = { account: "ordered", token: () => hub.token("ordered") };
  const seed = [{ id: "inbox", title: "Inbox" }];
  const { store, tasks } = new Disk().open({ serverUrl: hub.url, auth, seed });
  await store.caughtUp();
  store.stopSync();
  await store.write([
    tasks.edits.update("inbox", { n: 1 }),
    tasks.edits.insert({ id: "b", title: "first" }),
  ]);
  await tasks.update("b", { title: "last" });
  await store.signOut({ unsynced: "keep" });
  await tasks.update("inbox", { done: true });
  await store.signIn(auth, "merge");
  const shown = [
    { id: "b", title: "last" },
    { id: "inbox", title: "Inbox", n: 1, done: true },
  ];
  expect(await tasks.query()).toMatchObject(shown);
  store.startSync();
  await store.caughtUp();
  expect(await store.rejected.list()).toEqual([]);
  expect(await tasks.query()).toMatchObject(shown);
  await store.close();
});

/** A store that has synced, and what the hub holds of it once all it has written is decided. */
async function opened(account: string, around: Given["around"] = {}) {
  const auth = { account, token: () => hub.token(account) };
  const app = new Disk().open({ serverUrl: hub.url, auth, around });
  await app.store.caughtUp();
  const settled = async () => {
    await app.store.caughtUp();
    expect(await app.store.rejected.list()).toEqual([]);
    return [await app.tasks.get("k"), (await hub.holds(account))["tasks/k"]];
  };
  return { ...app, settled };
}

const both = (data: object) => [{ id: "k", ...data }, data];
const nobody = [undefined, undefined];

test("of two edits of a field in one write the last holds, also if its value is the lesser", async () => {
  const { store, tasks, settled } = await opened("lesser");
  await tasks.insert({ id: "k", title: "task" });
  await store.write([tasks.edits.update("k", { n: 9 }), tasks.edits.update("k", { n: 1 })]);
  expect(await tasks.get("k")).toMatchObject({ n: 1 });
  expect(await settled()).toEqual(both({ title: "task", n: 1 }));
  await store.write([
    tasks.edits.insert({ id: "l", title: "z" }),
    tasks.edits.update("l", { title: "a" }),
  ]);
  await store.caughtUp();
  expect(await tasks.get("l")).toEqual({ id: "l", title: "a" });
  await store.close();
});

test("a record that is deleted and inserted again in one write is there", async () => {
  const { store, tasks, settled } = await opened("again");
  await tasks.insert({ id: "k", title: "first", n: 1 });
  await store.write([tasks.edits.delete("k"), tasks.edits.insert({ id: "k", title: "again" })]);
  expect(await settled()).toEqual(both({ title: "again" }));
  await store.write([
    tasks.edits.delete("k"),
    tasks.edits.insert({ id: "k", title: "more" }),
    tasks.edits.update("k", { title: "less" }),
    tasks.edits.delete("k"),
  ]);
  expect(await settled()).toEqual(nobody);
  await store.close();
});

test("a write that is made again keeps the order of its edits", async () => {
  const { store, tasks, settled } = await opened("made-again");
  await tasks.insert({ id: "k", title: "first" });
  await store.write([
    tasks.edits.delete("k"),
    tasks.edits.insert({ id: "k", title: "z", n: 9 }),
    tasks.edits.update("k", { title: "a", n: 1 }),
    tasks.edits.insert({ id: "l", title: "x".repeat(2 << 10) }),
  ]);
  await store.caughtUp();
  const [refused] = await store.rejected.list();
  expect(refused).toMatchObject({ code: "record_too_large" });
  await store.rejected.edit(refused!.id, (changes) => changes.slice(0, 3));
  expect(await settled()).toEqual(both({ title: "a", n: 1 }));
  await store.close();
});

test("a clock that is corrected keeps the order of the edits of a write", async () => {
  let off = 0;
  const { store, tasks, settled } = await opened("corrected", { now: () => Date.now() + off });
  await tasks.insert({ id: "k", title: "first" });
  await store.caughtUp();
  store.stopSync();
  off = 31_536_000_000;
  await store.write([
    tasks.edits.delete("k"),
    tasks.edits.insert({ id: "k", title: "z", n: 9 }),
    tasks.edits.update("k", { title: "a", n: 1 }),
  ]);
  store.startSync();
  expect(await settled()).toEqual(both({ title: "a", n: 1 }));
  await store.close();
});
