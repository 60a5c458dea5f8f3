import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";
import { Proxy } from "../proxy";

let hub: Hub;
let proxy: Proxy;
beforeAll(async () => {
  hub = await Hub.start();
  proxy = await Proxy.to(hub.port);
});
afterAll(async () => {
  await proxy.stop();
  await hub.stop();
});

function account(user: string) {
  return { serverUrl: proxy.url, auth: { account: user, token: () => hub.token(user) } };
}

/** The head of a user's space: the number of commits in it. */
async function head(user: string): Promise<number> {
  const headers = { authorization: `Bearer ${await hub.token(user)}` };
  const response = await fetch(`${hub.url}/v1/todo/snapshot`, { headers });
  return ((await response.json()) as { at: number }).at;
}

test("a device works without a network, and sends what it has when there is one", async () => {
  proxy.goDown();
  const { store, tasks } = new Disk().open(account("offline"));
  const writes = [
    await tasks.insert({ id: "a", title: "written offline" }),
    await tasks.insert({ id: "b", title: "gone again" }),
    await tasks.update("a", { done: true }),
    await tasks.delete("b"),
  ];
  expect(await tasks.query()).toEqual([{ id: "a", title: "written offline", done: true }]);
  await reaches(store, ({ status, pending }) => status === "offline" && pending === 4);
  proxy.comeUp();
  expect(await Promise.all(writes.map((write) => write.synced()))).toEqual(
    Array(4).fill("applied"),
  );
  await reaches(store, ({ status, pending }) => status === "synced" && pending === 0);
  expect(await hub.holds("offline")).toEqual({
    "tasks/a": { title: "written offline", done: true },
  });
  await store.close();
});

test("an answer that is lost is asked for again, and nothing takes effect twice", async () => {
  const { store, tasks } = new Disk().open(account("lost"));
  await store.caughtUp();
  for (let round = 0; round < 5; round++) {
    const lost = proxy.loseAfter(round * 40);
    const write = await tasks.insert({ id: `k${round}`, title: "once" });
    await lost;
    expect(await write.synced()).toBe("applied");
  }
  await store.caughtUp();
  expect(await head("lost")).toBe(5);
  await store.close();
});

test("what was written before a crash is sent after it", async () => {
  const disk = new Disk();
  const before = disk.open({ ...account("crash"), autoSync: false });
  await before.tasks.insert({ id: "k", title: "kept" });
  await before.store.close();
  const after = disk.open(account("crash"));
  expect(await after.tasks.get("k")).toEqual({ id: "k", title: "kept" });
  await after.store.caughtUp();
  expect(await hub.holds("crash")).toEqual({ "tasks/k": { title: "kept" } });
  await after.store.close();
});

test.each(["SIGTERM", "SIGKILL"] as const)("devices come back after a hub's %s", async (signal) => {
  const user = `restart-${signal}`;
  const phone = new Disk().open(account(user));
  const laptop = new Disk().open(account(user));
  await phone.tasks.insert({ id: "k", title: "before" });
  await phone.store.caughtUp();
  await laptop.store.caughtUp();
  await hub.end(signal);
  await phone.tasks.update("k", { title: "meanwhile" });
  await hub.run();
  await phone.store.caughtUp();
  await new Promise<void>((resolve) => {
    laptop.tasks.liveGet("k").subscribe((task) => task?.title === "meanwhile" && resolve());
  });
  await phone.store.close();
  await laptop.store.close();
});

test("a large snapshot that breaks off goes on where it was", async () => {
  const writer = new Disk().open(account("large"));
  await writer.store.ready();
  const title = "x".repeat(300);
  for (let at = 0; at < 3_000; at += 500) {
    const ids = Array.from({ length: 500 }, (_, more) => `t${at + more}`);
    await writer.store.write(ids.map((id) => writer.tasks.edits.insert({ id, title })));
  }
  await writer.store.caughtUp();
  await writer.store.close();

  const disk = new Disk();
  const lost = proxy.loseAfter(400_000, { staysDown: true });
  const broken = disk.open(account("large"));
  await lost;
  const { bootstrap } = await reaches(broken.store, (now) => (now.bootstrap?.done ?? 0) > 0);
  // What is not complete is not shown.
  expect(await broken.tasks.count()).toBe(0);
  await broken.store.close();

  proxy.comeUp();
  const resumed = disk.open(account("large"));
  const first = await reaches(resumed.store, ({ bootstrap }) => bootstrap !== null);
  expect(first.bootstrap?.done).toBeGreaterThanOrEqual(bootstrap!.done);
  await resumed.store.caughtUp();
  expect(await resumed.tasks.count()).toBe(3_000);
  await resumed.store.close();
});
