/** A device whose copy is behind the hub when it comes back. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const transports = ["websocket", "http"] as const;

function account(user: string, transport: (typeof transports)[number]) {
  const auth = { account: user, token: () => hub.token(user) };
  return { serverUrl: hub.url, transport, auth };
}

test.each(transports)("it is synced when what it missed is shown, over %s", async (transport) => {
  const given = account(`missed-${transport}`, transport);
  const [writer, reader] = [new Disk().open(given), new Disk().open(given)];
  await writer.store.caughtUp();
  await reader.store.caughtUp();
  for (let n = 1; n <= 20; n++) {
    reader.store.stopSync();
    await writer.tasks.insert({ title: "missed" });
    await writer.store.caughtUp();
    reader.store.startSync();
    await reaches(reader.store, ({ status }) => status === "synced");
    expect(await reader.tasks.count()).toBe(n);
  }
  await writer.store.close();
  await reader.store.close();
});

test.each(transports)(
  "it is synced when it missed nothing it wants, over %s",
  async (transport) => {
    const given = account(`other-${transport}`, transport);
    const writer = new Disk().open(given);
    const reader = new Disk().open({ ...given, only: ["tasks"] });
    await reader.store.caughtUp();
    for (const name of ["first", "second"]) {
      reader.store.stopSync();
      await writer.lists.insert({ name });
      await writer.store.caughtUp();
      reader.store.startSync();
      await reader.store.caughtUp();
    }
    await writer.store.close();
    await reader.store.close();
  },
);
