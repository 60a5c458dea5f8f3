import { afterAll, beforeAll, expect, test } from "vitest";
import { RejectedError } from "../../src/index";
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

test("a refused write blocks nothing, is shown no more, and waits to be decided", async () => {
  const { store, tasks } = open("refused");
  await tasks.insert({ id: "k", title: "small" });
  const large = await tasks.update("k", { title: LARGE });
  const behind = await tasks.insert({ id: "l", title: "behind" });
  await expect(large.synced()).rejects.toThrow(RejectedError);
  await expect(large.synced()).rejects.toMatchObject({ code: "record_too_large" });
  expect(await behind.synced()).toBe("applied");
  await store.caughtUp();
  expect(await tasks.get("k")).toMatchObject({ title: "small" });

  const [one, ...others] = await store.rejected.list();
  expect(others).toEqual([]);
  expect(one).toMatchObject({ code: "record_too_large", changes: [{ table: "tasks", id: "k" }] });
  expect(JSON.parse(await store.rejected.export())).toEqual([one]);
  await store.close();
});

test("a refused write can be made again, altered, or given up", async () => {
  const { store, tasks } = open("decide");
  const write = await tasks.insert({ id: "k", title: LARGE });
  await expect(write.synced()).rejects.toThrow();
  const id = async () => (await store.rejected.list())[0]!.id;

  await store.rejected.retry(await id());
  expect(await tasks.get("k")).toMatchObject({ title: LARGE });
  await store.caughtUp();
  expect(await store.rejected.list()).toHaveLength(1);

  await store.rejected.edit(await id(), (changes) =>
    changes.map((one) => (one.op === "insert" ? { ...one, data: { title: "short" } } : one)),
  );
  await store.caughtUp();
  expect(await store.rejected.list()).toEqual([]);
  expect(await hub.holds("decide")).toEqual({ "tasks/k": { title: "short" } });

  await (await tasks.update("k", { title: LARGE })).synced().catch(() => {});
  await store.rejected.discard(await id());
  expect(await store.rejected.list()).toEqual([]);
  await expect(store.rejected.retry(99)).rejects.toMatchObject({ code: "record_missing" });
  await store.close();
});

test("a write that lost to newer ones is told so", async () => {
  const [late, newer] = [open("loser"), open("loser")];
  await newer.tasks.insert({ id: "k", title: "first" });
  await newer.store.caughtUp();
  await late.store.caughtUp();
  late.store.stopSync();
  const lost = await late.tasks.update("k", { title: "late" });
  await newer.tasks.update("k", { title: "newer" });
  await newer.store.caughtUp();
  late.store.startSync();
  expect(await lost.synced()).toBe("superseded");
  await late.store.caughtUp();
  expect(await late.tasks.get("k")).toMatchObject({ title: "newer" });
  await late.store.close();
  await newer.store.close();
});

test("limits that the hub told hold when something is written", async () => {
  const { store, tasks } = open("limits");
  await store.caughtUp();
  const huge = tasks.insert({ title: "x".repeat(1 << 20) });
  await expect(huge).rejects.toMatchObject({ code: "mutation_too_large" });
  expect(await tasks.count()).toBe(0);
  expect(store.pendingChanges).toBe(0);
  await store.close();
});
