import { afterAll, beforeAll, expect, test } from "vitest";
import { RejectedError } from "../../src/index";
import { Disk, withoutRoom } from "../device";
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

  await withoutRoom(async () => {
    await expect(store.rejected.retry(await id())).rejects.toMatchObject({ code: "quota" });
  });
  expect(await store.rejected.list()).toHaveLength(1);
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

test("what a refused write is altered to is held to what every write is", async () => {
  const { store, tasks } = open("held");
  await (await tasks.insert({ id: "k", title: "small" })).synced();
  await expect((await tasks.update("k", { title: LARGE })).synced()).rejects.toThrow();
  const [refused] = await store.rejected.list();
  const edit = (value: unknown, id = "k") =>
    store.rejected.edit(refused!.id, () => [
      {
        table: "tasks",
        id,
        op: "update",
        fields: { title: { value: value as string, updatedAt: "" } },
      },
    ]);
  await expect(edit(new Date(0))).rejects.toMatchObject({ code: "value_invalid" });
  await expect(edit(NaN)).rejects.toMatchObject({ code: "value_invalid" });
  await expect(edit("x", "")).rejects.toMatchObject({ code: "value_invalid" });
  const invalid = [
    [],
    null,
    [null],
    [{ table: "tasks", id: "k", op: "upsert", data: {} }],
    [{ table: "tasks", id: "k", op: "insert" }],
    [{ table: "tasks", id: "k", op: "update", fields: { title: null } }],
    [{ table: "tasks", id: "k", op: "update", fields: { title: {} } }],
    [{ table: "tasks", id: "k", op: "update", fields: { "\ud800": { value: 1 } } }],
  ];
  for (const changes of invalid)
    await expect(store.rejected.edit(refused!.id, () => changes as never)).rejects.toMatchObject({
      code: "value_invalid",
    });
  const unknown = store.rejected.edit(refused!.id, ([one]) => [{ ...one!, table: "nowhere" }]);
  await expect(unknown).rejects.toMatchObject({ code: "collection_unknown" });
  await expect(edit("x".repeat(1 << 20))).rejects.toMatchObject({ code: "mutation_too_large" });
  expect(await tasks.get("k")).toMatchObject({ title: "small" });
  expect(await store.rejected.list()).toEqual([refused]);
  await edit("short");
  await store.caughtUp();
  expect(await hub.holds("held")).toEqual({ "tasks/k": { title: "short" } });
  await store.close();
});

test("a value may be as deep in an insert as in an update, and the hub takes it", async () => {
  const { store, tasks } = open("deep");
  const nested = (levels: number) => {
    let value: unknown = 1;
    for (let at = 0; at < levels; at++) value = [value];
    return { title: "deep", n: value as number };
  };
  const writes = [
    await tasks.insert({ id: "k", ...nested(32) }),
    await tasks.update("k", nested(32)),
  ];
  for (const write of writes) expect(await write.synced()).toBe("applied");
  const tooDeep = { code: "json_too_deep" };
  await expect(tasks.insert(nested(33))).rejects.toMatchObject(tooDeep);
  await expect(tasks.update("k", nested(33))).rejects.toMatchObject(tooDeep);
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
  // Less than what holds before one has told its own.
  const small = await Hub.start({ HUB__GATEWAY__MESSAGE_BYTES_MAX: "20000" });
  const auth = { account: "limits", token: () => small.token("limits") };
  const { store, tasks } = new Disk().open({ serverUrl: small.url, auth });
  await store.caughtUp();
  const huge = tasks.insert({ title: "x".repeat(25_000) });
  await expect(huge).rejects.toMatchObject({ code: "mutation_too_large" });
  expect(await tasks.count()).toBe(0);
  expect(store.pendingChanges).toBe(0);
  await store.close();
  await small.stop();
});
