/** Erasure: everything local goes, and the device goes on as another client. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";
import { Proxy } from "../proxy";

const KEY = "a-service-key-of-the-tests";

let hub: Hub;
beforeEach(async () => {
  hub = await Hub.start({ HUB__AUTH__SERVICE_KEY: KEY });
});
afterEach(() => hub.stop());

async function erase(user: string): Promise<void> {
  const answer = await fetch(`${hub.url}/api/v1/admin/user-data/${user}`, {
    method: "DELETE",
    headers: { "x-service-key": KEY },
  });
  expect(answer.ok).toBe(true);
}

/** What a device pushed: the client's id and the mutation's number, in order. */
function tapped() {
  const pushed: [string, number][] = [];
  class Tapped extends NodeSocket {
    #client = "";
    override send(text: never): void {
      const message = JSON.parse(text) as { t: string; client: string; muts: { m: number }[] };
      if (message.t === "hello") this.#client = message.client;
      if (message.t === "push") for (const { m } of message.muts) pushed.push([this.#client, m]);
      super.send(text);
    }
  }
  return { pushed, WebSocket: Tapped as unknown as typeof WebSocket };
}

function open(url: string, disk: Disk, WebSocket: typeof globalThis.WebSocket) {
  const auth = { account: "ada", token: () => hub.token("ada") };
  return disk.open({ serverUrl: url, auth, around: { WebSocket } });
}

const empties = ({ tasks }: ReturnType<typeof open>) =>
  new Promise<void>((resolve) => {
    const end = tasks.liveCount().subscribe((count) => {
      if (count === 0) queueMicrotask(() => (end(), resolve()));
    });
  });

test.each(["connected", "away"] as const)(
  "an erased device that was %s holds nothing, and numbers anew as another client",
  async (where) => {
    const { pushed, WebSocket } = tapped();
    const device = open(hub.url, new Disk(), WebSocket);
    await device.tasks.insert({ id: "sent", title: "at the hub" });
    await device.tasks.insert({ id: "too", title: "at the hub" });
    await device.store.caughtUp();
    if (where === "away") {
      device.store.stopSync();
      await device.tasks.insert({ id: "unsent", title: "only here" });
    }
    await erase("ada");
    if (where === "away") device.store.startSync();
    await empties(device);
    const before = pushed.length;
    await device.tasks.insert({ id: "new", title: "afterwards" });
    await device.store.caughtUp();
    expect(await hub.holds("ada")).toEqual({ "tasks/new": { title: "afterwards" } });
    const [[client, m], ...more] = pushed.slice(before) as [[string, number]];
    expect(more).toEqual([]);
    expect(client).not.toBe(pushed[0]![0]);
    expect(m).toBe(1);
    expect(await device.tasks.query()).toEqual([{ id: "new", title: "afterwards" }]);
    await device.store.close();
  },
);

test("an erased device that polls holds nothing, and goes on", async () => {
  const auth = { account: "ada", token: () => hub.token("ada") };
  const device = new Disk().open({ serverUrl: hub.url, auth, transport: "http" });
  await device.tasks.insert({ id: "sent", title: "at the hub" });
  await device.store.caughtUp();
  device.store.stopSync();
  await device.tasks.insert({ id: "unsent", title: "only here" });
  await erase("ada");
  device.store.startSync();
  await empties(device);
  const write = await device.tasks.insert({ id: "new", title: "afterwards" });
  expect(await write.synced()).toBe("applied");
  expect(Object.keys(await hub.holds("ada"))).toEqual(["tasks/new"]);
  await device.store.close();
});

test("an erased device that pushes before it polls brings nothing back", async () => {
  const auth = { account: "ada", token: () => hub.token("ada") };
  // What it looks for by itself comes long after this test.
  const pullInterval = 3_600_000;
  const device = new Disk().open({ serverUrl: hub.url, auth, transport: "http", pullInterval });
  await device.tasks.insert({ id: "sent", title: "at the hub" });
  await device.store.caughtUp();
  await erase("ada");
  await device.tasks.insert({ id: "unheard", title: "written meanwhile" });
  await empties(device);
  const write = await device.tasks.insert({ id: "new", title: "afterwards" });
  expect(await write.synced()).toBe("applied");
  expect(Object.keys(await hub.holds("ada"))).toEqual(["tasks/new"]);
  await device.store.close();
});

test("a snapshot under way of what is erased meanwhile brings nothing back", async () => {
  const writer = open(hub.url, new Disk(), NodeSocket as never);
  const title = "x".repeat(300);
  for (let at = 0; at < 3_000; at += 500) {
    const ids = Array.from({ length: 500 }, (_, more) => `t${at + more}`);
    await writer.store.write(ids.map((id) => writer.tasks.edits.insert({ id, title })));
  }
  await writer.store.caughtUp();
  await writer.store.close();
  const proxy = await Proxy.to(hub.port);
  const disk = new Disk();
  const lost = proxy.loseAfter(400_000, { staysDown: true });
  const device = open(proxy.url, disk, NodeSocket as never);
  await lost;
  await reaches(device.store, (now) => (now.bootstrap?.done ?? 0) > 0);
  await erase("ada");
  proxy.comeUp();
  await device.store.caughtUp();
  expect(await device.tasks.count()).toBe(0);
  expect(await hub.holds("ada")).toEqual({});
  await device.store.close();
  await proxy.stop();
});

test("a device of whose numbers none was confirmed is not stuck by an erasure", async () => {
  const proxy = await Proxy.to(hub.port);
  const { pushed, WebSocket } = tapped();
  const device = open(proxy.url, new Disk(), WebSocket);
  await device.store.caughtUp();
  // Its number is used, and no verdict comes.
  const lost = proxy.loseAfter(0, { staysDown: true });
  await device.tasks.insert({ id: "unknown", title: "?" });
  await lost;
  expect(pushed.at(-1)![1]).toBe(1);
  await erase("ada");
  proxy.comeUp();
  await empties(device);
  const write = await device.tasks.insert({ id: "new", title: "afterwards" });
  expect(await write.synced()).toBe("applied");
  expect(Object.keys(await hub.holds("ada"))).toEqual(["tasks/new"]);
  await device.store.close();
  await proxy.stop();
});
