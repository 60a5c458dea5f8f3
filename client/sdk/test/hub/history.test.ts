import { cpSync, rmSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Disk } from "../device";
import { Hub } from "../hub";
import { Proxy } from "../proxy";

let hub: Hub;
beforeEach(async () => {
  hub = await Hub.start();
});
afterEach(() => hub.stop());

function open(disk = new Disk(), more = {}) {
  const auth = { account: "ada", token: () => hub.token("ada") };
  return disk.open({ serverUrl: hub.url, auth, ...more });
}

/** Resolves when the device shows the task, which another one has written. */
function learns({ tasks }: ReturnType<typeof open>, id: string): Promise<void> {
  return new Promise((resolve) => {
    const end = tasks.liveGet(id).subscribe((task) => {
      if (task) queueMicrotask(() => (end(), resolve()));
    });
  });
}

/** Puts the hub's data back to what it was when `then` was called. */
async function backup(): Promise<{ restore(): Promise<void> }> {
  await hub.end();
  const kept = `${hub.dir}-backup`;
  cpSync(hub.dir, kept, { recursive: true });
  await hub.run();
  return {
    restore: async () => {
      await hub.end();
      rmSync(hub.dir, { recursive: true });
      cpSync(kept, hub.dir, { recursive: true });
      rmSync(kept, { recursive: true });
      await hub.run();
    },
  };
}

test.each(["websocket", "http"] as const)(
  "what a restored backup has lost comes back from the devices, over %s",
  async (transport) => {
    const phone = open(new Disk(), { transport });
    const laptop = open(new Disk(), { transport });
    await phone.tasks.insert({ id: "old", title: "in the backup" });
    await phone.tasks.insert({ id: "changed", title: "before" });
    await phone.tasks.insert({ id: "deleted", title: "before" });
    await phone.store.caughtUp();
    await laptop.store.caughtUp();
    const { restore } = await backup();
    await phone.tasks.insert({ id: "new", title: "after the backup" });
    await phone.tasks.update("changed", { title: "after" });
    await phone.tasks.delete("deleted");
    await phone.store.caughtUp();
    await laptop.tasks.insert({ id: "too", title: "after it as well" });
    await phone.tasks.insert({ id: "revived", title: "once" });
    await phone.tasks.delete("revived");
    await phone.tasks.insert({ id: "revived", title: "again" });
    await phone.store.caughtUp();
    await laptop.store.caughtUp();
    await restore();
    await phone.tasks.update("old", { done: true });
    await phone.store.caughtUp();
    await laptop.store.caughtUp();
    const held = await hub.holds("ada");
    expect(held).toMatchObject({
      "tasks/old": { title: "in the backup", done: true },
      "tasks/changed": { title: "after" },
      "tasks/new": { title: "after the backup" },
      "tasks/revived": { title: "again" },
      "tasks/too": { title: "after it as well" },
    });
    expect(Object.keys(held)).not.toContain("tasks/deleted");
    expect(await phone.store.rejected.list()).toEqual([]);
    await phone.store.caughtUp();
    expect(await phone.tasks.count()).toBe(Object.keys(held).length);
    await phone.store.close();
    await laptop.store.close();
  },
);

test.each(["websocket", "http"] as const)(
  "an edit of what a restored backup has lost outlives it, over %s",
  async (transport) => {
    const phone = open(new Disk(), { transport });
    const laptop = open(new Disk(), { transport });
    await phone.tasks.insert({ id: "old", title: "in the backup" });
    await phone.store.caughtUp();
    const { restore } = await backup();
    await phone.tasks.insert({ id: "mine", title: "after the backup" });
    await laptop.tasks.insert({ id: "theirs", title: "after the backup" });
    for (const { store } of [phone, laptop]) await store.caughtUp();
    await Promise.all([learns(phone, "theirs"), learns(laptop, "mine")]);
    laptop.store.stopSync();
    phone.store.stopSync();
    await phone.tasks.update("mine", { done: true });
    await phone.tasks.update("theirs", { done: true });
    await laptop.tasks.update("mine", { n: 1 });
    await restore();
    phone.store.startSync();
    await phone.store.caughtUp();
    laptop.store.startSync();
    await laptop.store.caughtUp();
    for (const { store } of [phone, laptop]) expect(await store.rejected.list()).toEqual([]);
    const title = "after the backup";
    expect(await hub.holds("ada")).toEqual({
      "tasks/old": { title: "in the backup" },
      "tasks/mine": { title, done: true, n: 1 },
      "tasks/theirs": { title, done: true },
    });
    await phone.store.close();
    await laptop.store.close();
  },
);

test("so does one that was sent and of which nobody knows what became", async () => {
  const proxy = await Proxy.to(hub.port);
  const phone = open(new Disk(), { serverUrl: proxy.url });
  const laptop = open();
  await phone.tasks.insert({ id: "old", title: "in the backup" });
  await phone.store.caughtUp();
  const { restore } = await backup();
  await laptop.tasks.insert({ id: "theirs", title: "after the backup" });
  await laptop.store.caughtUp();
  await learns(phone, "theirs");
  await laptop.store.close();
  const lost = proxy.loseAfter(0, { staysDown: true });
  await phone.tasks.update("theirs", { done: true });
  await lost;
  await phone.tasks.update("theirs", { n: 1 });
  await restore();
  proxy.comeUp();
  await phone.store.caughtUp();
  expect(await phone.store.rejected.list()).toEqual([]);
  expect(await hub.holds("ada")).toMatchObject({
    "tasks/theirs": { title: "after the backup", done: true, n: 1 },
  });
  await phone.store.close();
  await proxy.stop();
});

test("verdicts of another history hide nothing of what they are about", async () => {
  const given = { transport: "http", pullInterval: 3_600_000 };
  const phone = open(new Disk(), given);
  await phone.tasks.insert({ id: "old", title: "in the backup" });
  await phone.store.caughtUp();
  const { restore } = await backup();
  const laptop = open();
  // As many commits as there will not be in the other history.
  for (const id of ["a", "b", "c"])
    await (await laptop.tasks.insert({ id, title: "lost" })).synced();
  await laptop.store.caughtUp();
  await phone.store.caughtUp();
  await restore();
  // The laptop's cursor shows the hub what it has lost, and nobody tells the phone.
  laptop.store.stopSync();
  laptop.store.startSync();
  await laptop.store.caughtUp();
  const shown: boolean[] = [];
  phone.tasks.liveGet("new").subscribe((task) => void shown.push(task !== undefined));
  const write = await phone.tasks.insert({ id: "new", title: "in the other history" });
  await write.synced();
  await phone.store.caughtUp();
  expect(shown.slice(shown.indexOf(true))).not.toContain(false);
  expect(Object.keys(await hub.holds("ada")).sort()).toEqual(
    ["a", "b", "c", "new", "old"].map((id) => `tasks/${id}`),
  );
  await phone.store.close();
  await laptop.store.close();
});

test("a hub that begins anew is given what the devices hold", async () => {
  const disk = new Disk();
  const before = open(disk);
  for (const id of ["a", "b", "c"]) await before.tasks.insert({ id, title: id });
  await before.store.caughtUp();
  await before.store.close();
  await hub.stop();
  hub = await Hub.start();
  const after = open(disk);
  await after.tasks.insert({ id: "d", title: "d" });
  await after.store.caughtUp();
  expect(Object.keys(await hub.holds("ada")).sort()).toEqual(
    ["a", "b", "c", "d"].map((id) => `tasks/${id}`),
  );
  expect(await after.tasks.count()).toBe(4);
  await after.store.close();
});

test("tables that the app begins to declare are filled up", async () => {
  const disk = new Disk();
  const everything = open();
  await everything.tasks.insert({ id: "k", title: "a task" });
  await everything.lists.insert({ id: "l", name: "a list" });
  await everything.store.caughtUp();
  const given = { tables: "declared" };
  const few = open(disk, { ...given, only: ["tasks"] });
  await few.store.caughtUp();
  expect(await few.tasks.count()).toBe(1);
  await few.store.close();
  await everything.tasks.update("k", { done: true });
  await everything.store.caughtUp();
  const more = open(disk, given);
  expect(await more.lists.count()).toBe(0);
  await more.store.caughtUp();
  expect(await more.lists.query()).toEqual([{ id: "l", name: "a list" }]);
  expect(await more.tasks.get("k")).toMatchObject({ done: true });
  await more.store.close();
  await everything.store.close();
});
