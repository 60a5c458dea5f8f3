import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import type { Broadcast, Notice, Present } from "../../src/index";
import { Disk } from "../device";
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

type App = ReturnType<Disk["open"]>;

/** Opens a connected device. */
async function open(user: string, more = {}): Promise<App> {
  const auth = { account: user, token: () => hub.token(user) };
  const app = new Disk().open({ serverUrl: proxy.url, auth, ...more });
  await app.store.caughtUp();
  return app;
}

/** Resolves when exactly these states are shown to the device by others. */
function sees({ store }: App, ...states: unknown[]): Promise<void> {
  return new Promise((resolve) => {
    const end = store.ephemeral.others().subscribe((others: Present[]) => {
      const seen = others.map(({ state }) => state);
      if (isDeepStrictEqual(new Set(seen), new Set(states)))
        queueMicrotask(() => (end(), resolve()));
    });
  });
}

test("devices see what others show, and the last word of it", async () => {
  const [phone, laptop] = [await open("shows"), await open("shows")];
  for (let at = 0; at < 50; at++) await phone.store.ephemeral.show({ at });
  await sees(laptop, { at: 49 });
  await laptop.store.ephemeral.show("laptop");
  await sees(phone, "laptop");
  const third = await open("shows");
  await sees(third, "laptop", { at: 49 });
  await phone.store.ephemeral.show(null);
  await sees(third, "laptop");
  await laptop.store.close();
  await sees(third);
  for (const { store } of [phone, third]) await store.close();
});

test("what is shown is shown again after a break, in which nobody is seen", async () => {
  const [phone, laptop] = [await open("breaks"), await open("breaks")];
  await phone.store.ephemeral.show("phone");
  await sees(laptop, "phone");
  proxy.goDown();
  await sees(laptop);
  await phone.store.ephemeral.show("phone, later");
  proxy.comeUp();
  await sees(laptop, "phone, later");
  for (const { store } of [phone, laptop]) await store.close();
});

test("a broadcast reaches the other devices that are there, in order", async () => {
  const devices = [await open("tells"), await open("tells"), await open("tells")];
  const heard: Broadcast[][] = devices.map(() => []);
  const done = devices.slice(1).map(
    ({ store }, at) =>
      new Promise<void>((resolve) => {
        store.ephemeral.onBroadcast((broadcast) => {
          if (heard[at + 1]!.push(broadcast) === 20) resolve();
        });
      }),
  );
  devices[0]!.store.ephemeral.onBroadcast((broadcast) => heard[0]!.push(broadcast));
  for (let n = 0; n < 20; n++) await devices[0]!.store.ephemeral.broadcast("room", { n });
  await Promise.all(done);
  for (const all of heard.slice(1)) {
    expect(all.map(({ room, data }) => [room, data])).toEqual(
      Array.from({ length: 20 }, (_, n) => ["room", { n }]),
    );
    expect(new Set(all.map(({ from }) => from)).size).toBe(1);
  }
  expect(heard[0]).toEqual([]);
  for (const { store } of devices) await store.close();
});

test("what the hub would refuse is refused at once, and what fits is told", async () => {
  const [phone, laptop] = [await open("refused"), await open("refused")];
  const { ephemeral } = phone.store;
  const heard = new Promise<Broadcast>((resolve) => laptop.store.ephemeral.onBroadcast(resolve));
  const tooLarge = { code: "ephemeral_too_large" };
  await expect(ephemeral.show("x".repeat(4_095))).rejects.toMatchObject(tooLarge);
  await expect(ephemeral.broadcast("r", "é".repeat(2_048))).rejects.toMatchObject(tooLarge);
  for (const room of ["", "a\nb", "\ud800", "é".repeat(65)])
    await expect(ephemeral.broadcast(room, 1)).rejects.toMatchObject({ code: "value_invalid" });
  await ephemeral.show("x".repeat(4_094));
  await ephemeral.broadcast("é".repeat(64), "é".repeat(2_047));
  await sees(laptop, "x".repeat(4_094));
  expect((await heard).data).toBe("é".repeat(2_047));
  expect(phone.store.status.error).toBeNull();
  for (const { store } of [phone, laptop]) await store.close();
});

test("a notice is told, whatever it is about", async () => {
  // No hub sends one yet, so it is put into what a real one says.
  let socket: NodeSocket | undefined;
  class Kept extends NodeSocket {
    constructor(...made: ConstructorParameters<typeof NodeSocket>) {
      super(...made);
      socket = this;
    }
  }
  const around = { WebSocket: Kept as unknown as typeof WebSocket };
  const { store } = await open("notice", { around });
  const heard = new Promise<Notice>((resolve) => store.ephemeral.onNotice(resolve));
  socket?.emit("message", '{"t":"notice","kind":"reminder","data":{"task":"k"}}', false);
  expect(await heard).toEqual({ kind: "reminder", data: { task: "k" } });
  await store.close();
});
