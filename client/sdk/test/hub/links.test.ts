import { expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import { Disk } from "../device";
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
