/** Deletes of records that the hub does not know. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start({ HUB__LIMITS__RECORD_BYTES_MAX: "2048" });
});
afterAll(() => hub.stop());

function open(user: string) {
  const auth = { account: user, token: () => hub.token(user) };
  return new Disk().open({ serverUrl: hub.url, auth });
}
const LARGE = "x".repeat(3_000);

test("a delete of what never was is done, and keeps nobody from signing out", async () => {
  const { store, tasks } = open("never");
  expect(await (await tasks.delete("never")).synced()).toBe("applied");
  await store.caughtUp();
  expect(await store.rejected.list()).toEqual([]);
  await store.signOut({ unsynced: "push" });
  await store.close();
});

test("a delete of what is not there spoils nothing that is written with it, or stands on that", async () => {
  const { store, tasks, lists } = open("beside");
  store.stopSync();
  const write = await store.write([
    tasks.edits.delete("never"),
    lists.edits.insert({ id: "l", name: "made" }),
    tasks.edits.delete("nor that"),
  ]);
  const after = await lists.update("l", { name: "altered" });
  store.startSync();
  expect(await write.synced()).toBe("applied");
  expect(await after.synced()).toBe("applied");
  await store.caughtUp();
  expect(await store.rejected.list()).toEqual([]);
  expect(await hub.holds("beside")).toEqual({ "lists/l": { name: "altered" } });
  await store.close();
});

test("deletes that the hub refused for one it does not know are done all the same", async () => {
  const { store, tasks } = open("several");
  for (const id of ["a", "b"]) await (await tasks.insert({ id, title: id })).synced();
  store.stopSync();
  await tasks.insert({ id: "refused", title: LARGE });
  const ids = ["a", "refused", "b"];
  const write = await store.write(ids.map((id) => tasks.edits.delete(id)));
  const again = await tasks.insert({ id: "b", title: "again" });
  store.startSync();
  expect(await write.synced()).toBe("applied");
  expect(await again.synced()).toBe("applied");
  await store.caughtUp();
  expect((await store.rejected.list()).map(({ code }) => code)).toEqual(["record_too_large"]);
  expect(await hub.holds("several")).toEqual({ "tasks/b": { title: "again" } });
  expect(await tasks.query()).toEqual([{ id: "b", title: "again" }]);
  await store.close();
});

test("edits beside a delete of what was here and the hub does not know wait to be decided", async () => {
  const { store, tasks } = open("mixed");
  await (await tasks.insert({ id: "k", title: "kept" })).synced();
  store.stopSync();
  await tasks.insert({ id: "refused", title: LARGE });
  const write = await store.write([
    tasks.edits.update("k", { title: "altered" }),
    tasks.edits.delete("refused"),
  ]);
  store.startSync();
  await expect(write.synced()).rejects.toMatchObject({ code: "record_unknown" });
  const rejected = (await store.rejected.list()).find(({ code }) => code === "record_unknown");
  await store.rejected.edit(rejected!.id, (changes) => changes.filter(({ op }) => op === "update"));
  await store.caughtUp();
  expect(await hub.holds("mixed")).toEqual({ "tasks/k": { title: "altered" } });
  await store.close();
});
