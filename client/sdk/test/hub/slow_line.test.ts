/** A line that breaks before a large push is through. */
import { expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import type { Mutation } from "../../src/core/wire";
import { Disk } from "../device";
import { Hub } from "../hub";
import { Proxy } from "../proxy";

/** Sockets that note what is pushed, in the order of the pushes. */
function tapped() {
  const pushed: Mutation[] = [];
  class Tapped extends NodeSocket {
    override send(text: string): void {
      const message = JSON.parse(text) as { muts?: Mutation[] };
      pushed.push(...(message.muts ?? []));
      super.send(text);
    }
  }
  return { pushed, around: { WebSocket: Tapped as unknown as typeof WebSocket } };
}

/** A hub, and a device that gets to it over a line. */
async function device(transport: "websocket" | "auto") {
  const hub = await Hub.start();
  const line = await Proxy.to(hub.port);
  const { pushed, around } = tapped();
  const opened = new Disk().open({
    serverUrl: line.url,
    transport,
    auth: { account: "ada", token: () => hub.token("ada") },
    around,
    autoSync: false,
  });
  const stop = async () => {
    await opened.store.close();
    await line.stop();
    await hub.stop();
  };
  return { ...opened, hub, line, pushed, stop };
}

test("a backlog gets over a line that always breaks before a whole push is through", async () => {
  const { store, tasks, hub, line, pushed, stop } = await device("websocket");
  line.carry(12_000);
  const ids = Array.from({ length: 30 }, (_, n) => `k${String(n).padStart(2, "0")}`);
  const title = "x".repeat(1_900);
  const writes = [];
  for (const [n, id] of ids.entries()) writes.push(await tasks.insert({ id, title, n }));
  store.startSync();
  for (const write of writes) expect(await write.synced()).toBe("applied");

  const held = Object.fromEntries(ids.map((id, n) => [`tasks/${id}`, { title, n }]));
  expect(await hub.holds("ada")).toEqual(held);
  // Each under one number, in the order of the writes.
  const numbered = new Map<number, Set<string>>();
  for (const { m, changes } of pushed) {
    numbered.set(m, (numbered.get(m) ?? new Set()).add(JSON.stringify(changes)));
  }
  expect([...numbered.keys()]).toEqual(ids.map((_, at) => at + 1));
  for (const [m, [changes, ...others]] of numbered) {
    expect(JSON.parse(changes!)).toMatchObject([{ id: ids[m - 1] }]);
    expect(others).toEqual([]);
  }
  await stop();
});

test("what no socket carries goes by request", async () => {
  const { store, tasks, hub, line, stop } = await device("auto");
  line.carry(20_000, "sockets");
  const title = "x".repeat(40_000);
  const write = await tasks.insert({ id: "k", title });
  store.startSync();
  expect(await write.synced()).toBe("applied");
  expect(await hub.holds("ada")).toEqual({ "tasks/k": { title } });
  await stop();
});
