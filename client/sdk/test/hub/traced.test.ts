import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk } from "../device";
import { until } from "../eventually";
import { Hub } from "../hub";

let hub: Hub;
let collector: Server;
beforeAll(async () => {
  // It takes everything and reads nothing.
  collector = createServer((request, response) => request.resume().on("end", () => response.end()));
  await new Promise<void>((up) => collector.listen(0, "127.0.0.1", up));
  const { port } = collector.address() as AddressInfo;
  hub = await Hub.start({
    HUB__TELEMETRY__TRACES__ENDPOINT: `http://127.0.0.1:${port}`,
  });
});
afterAll(async () => {
  await hub.stop();
  collector.close();
});

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PUSHED = `00-${TRACE}-00f067aa0ba902b7-01`;

for (const transport of ["websocket", "http"] as const) {
  test(`a device goes on with the trace that another pushed over ${transport}`, async () => {
    const user = `traced-${transport}`;
    const given = {
      serverUrl: hub.url,
      auth: { account: user, token: () => hub.token(user) },
    };
    const received: string[] = [];
    const laptop = new Disk().open({
      ...given,
      trace: { received: (told) => received.push(told) },
    });
    await laptop.store.caughtUp();
    const phone = new Disk().open({ ...given, transport, trace: { push: () => PUSHED } });
    await phone.tasks.insert({ id: "k1", title: "Buy milk" });
    await phone.store.caughtUp();
    await until(() => received.length > 0);
    const [told = ""] = received;
    expect(told).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(told).toContain(TRACE);
    expect(told).not.toBe(PUSHED);
    await phone.store.close();
    await laptop.store.close();
  });
}

test("what an app's tracing throws keeps nothing from being pushed or shown", async () => {
  const fault = () => {
    throw new Error("a fault of the app");
  };
  const given = {
    serverUrl: hub.url,
    auth: { account: "faults", token: () => hub.token("faults") },
  };
  const phone = new Disk().open({ ...given, trace: { push: fault, received: fault } });
  await phone.tasks.insert({ id: "k1", title: "Buy milk" });
  await phone.store.caughtUp();
  expect(phone.store.pendingChanges).toBe(0);
  await phone.store.close();
});
