/** A browser profile that was copied to another machine, or put back there: both say hello with one id. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import { Disk, reaches, type Task } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

/** Opens the app on a disk. Ids with which hello was said, by any, go to `ids`. */
function open(disk: Disk, account: string, ids: string[] = [], autoSync = true) {
  class Tapped extends NodeSocket {
    override send(text: string): void {
      const { t, client } = JSON.parse(text) as { t: string; client: string };
      if (t === "hello") ids.push(client);
      super.send(text);
    }
  }
  return disk.open({
    serverUrl: hub.url,
    auth: { account, token: () => hub.token(account) },
    transport: "websocket",
    autoSync,
    around: { WebSocket: Tapped as unknown as typeof WebSocket },
  });
}

type App = ReturnType<typeof open>;

/** Resolves when the app shows the task so. */
function shows({ tasks }: App, id: string, title: string): Promise<Task> {
  return new Promise((resolve, reject) => {
    const end = tasks.liveGet(id).subscribe((task) => {
      if (task?.title !== title) return;
      queueMicrotask(() => (end(), resolve(task)));
    }, reject);
  });
}

/** A disk on which the account has a task, decided and shown. */
async function used(account: string): Promise<Disk> {
  const disk = new Disk();
  const { store, tasks } = open(disk, account);
  await tasks.insert({ id: "k", title: "before" });
  await store.caughtUp();
  await store.close();
  return disk;
}

test("two machines with a copy of one profile are two clients after one was replaced", async () => {
  const disk = await used("copied");
  const copy = await disk.copied();
  const ids: string[] = [];
  const first = open(disk, "copied", ids);
  await first.store.caughtUp();
  const isReplaced = reaches(first.store, ({ status }) => status === "offline");
  const second = open(copy, "copied", ids);
  await second.tasks.insert({ id: "of-second", title: "second" });
  await isReplaced;
  await shows(first, "of-second", "second");
  for (let n = 0; n < 10; n++) {
    const [from, to] = n % 2 ? [first, second] : [second, first];
    await from.tasks.update("k", { title: `edit ${n}` });
    await shows(to, "k", `edit ${n}`);
  }
  for (const { store } of [first, second]) {
    await store.caughtUp();
    expect(await store.rejected.list()).toEqual([]);
  }
  // One hello each, and the one of who took another id.
  expect(ids).toHaveLength(3);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
  expect(Object.keys(await hub.holds("copied")).sort()).toEqual(["tasks/k", "tasks/of-second"]);
  for (const { store } of [first, second]) await store.close();
});

test("what was unsent on both machines of one profile is taken of both", async () => {
  const disk = await used("unsent");
  const offline = open(disk, "unsent", [], false);
  await offline.tasks.insert({ id: "both", title: "both" });
  await offline.store.close();
  const copy = await disk.copied();
  const apps = [open(disk, "unsent"), open(copy, "unsent")];
  const own = await Promise.all(apps.map(({ tasks }, n) => tasks.insert({ title: `own ${n}` })));
  for (const write of own) expect(await write.synced()).toBe("applied");
  const held = { "tasks/k": { title: "before" }, "tasks/both": { title: "both" } };
  for (const { store } of apps) {
    await store.caughtUp();
    expect(await store.rejected.list()).toEqual([]);
  }
  const others = own.map(({ id }, n) => [`tasks/${id}`, { title: `own ${n}` }] as const);
  expect(await hub.holds("unsent")).toEqual({ ...held, ...Object.fromEntries(others) });
  for (const { store } of apps) await store.close();
});

test("a tab that leads no more and was replaced takes no other id", async () => {
  const disk = new Disk();
  const ids: string[] = [];
  // Without locks and channels each believes to be the only one; the database knows who leads.
  const first = open(disk, "tabs", ids);
  await first.store.caughtUp();
  const isReplaced = reaches(first.store, ({ status }) => status === "offline");
  const second = open(disk, "tabs", ids);
  await second.store.caughtUp();
  await isReplaced;
  await (await second.tasks.insert({ title: "of the second" })).synced();
  await second.store.close();
  expect(new Set(ids).size).toBe(1);
  expect(ids).toHaveLength(2);
  await first.store.close();
});
