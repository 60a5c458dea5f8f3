import { expect, test } from "vitest";
import type { AddressInfo } from "node:net";
import { createServer } from "node:http";
import { once } from "node:events";
import { WebSocketServer, WebSocket as NodeSocket } from "ws";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

test("what a connection told has no effect once it is over", async () => {
  const hub = await Hub.start();
  let heard = () => {};
  /** Tells when a message has been given to the store. */
  class Tapped extends NodeSocket {
    constructor(...made: ConstructorParameters<typeof NodeSocket>) {
      super(...made);
      this.addEventListener("message", () => setImmediate(heard));
    }
  }
  const { store, tasks } = new Disk().open({
    serverUrl: hub.url,
    auth: { account: "ada", token: () => hub.token("ada") },
    around: { WebSocket: Tapped as unknown as typeof WebSocket },
    autoSync: false,
  });
  await store.ready();
  const statuses: string[] = [];
  const isStopped = new Promise<void>((resolve) => {
    heard = () => {
      heard = () => {};
      // The welcome is being written down.
      store.stopSync();
      store.onStatus(({ status }) => statuses.push(status));
      resolve();
    };
  });
  store.startSync();
  await isStopped;
  // A transaction that comes after the welcome's.
  await tasks.insert({ id: "k", title: "offline" });
  await tasks.update("k", { done: true });
  expect(new Set(statuses)).toEqual(new Set(["offline"]));
  store.startSync();
  await store.caughtUp();
  expect(await hub.holds("ada")).toEqual({ "tasks/k": { title: "offline", done: true } });
  await store.close();
  await hub.stop();
});

test.each(["not json", "[]", '{"t":"welcome"}', '{"t":"delta"}'])(
  "a server that says %s is told as none, and the rest goes on",
  async (garbage) => {
    const server = new WebSocketServer({ port: 0, handleProtocols: () => "syncline.v1" });
    server.on("connection", (socket) => socket.on("message", () => socket.send(garbage)));
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await isTold(`http://127.0.0.1:${port}`, "websocket");
    await new Promise((resolve) => server.close(resolve));
  },
);

test("a server that answers requests with something else is told as none", async () => {
  const server = createServer((_, answer) => answer.end('{"other":true}'));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await isTold(`http://127.0.0.1:${port}`, "http");
  await new Promise((resolve) => server.close(resolve));
});

/** What nobody catches fails the run. */
async function isTold(serverUrl: string, transport: "websocket" | "http"): Promise<void> {
  const auth = { account: "ada", token: () => "x.y.z" };
  const { store, tasks } = new Disk().open({ serverUrl, transport, auth });
  await tasks.insert({ title: "unsent" });
  const { error } = await reaches(store, ({ status }) => status === "error");
  expect(error?.code).toBe("protocol");
  expect(await tasks.count()).toBe(1);
  await store.close();
}
