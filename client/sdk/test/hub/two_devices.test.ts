import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

function account(user: string) {
  return { serverUrl: hub.url, auth: { account: user, token: () => hub.token(user) } };
}

for (const transport of ["websocket", "http"] as const) {
  test(`two devices that edit one record offline show both edits, over ${transport}`, async () => {
    const user = `two-${transport}`;
    const given = { ...account(user), transport };
    const phone = new Disk().open(given);
    const laptop = new Disk().open(given);
    await phone.tasks.insert({ id: "k1", title: "Buy milk", done: false });
    await phone.store.caughtUp();
    await laptop.store.caughtUp();
    expect(await laptop.tasks.get("k1")).toEqual({ id: "k1", title: "Buy milk", done: false });

    phone.store.stopSync();
    laptop.store.stopSync();
    await phone.tasks.update("k1", { done: true });
    await laptop.tasks.update("k1", { title: "Buy oat milk" });
    expect(phone.store.syncStatus).toBe("offline");
    phone.store.startSync();
    laptop.store.startSync();
    await phone.store.caughtUp();
    await laptop.store.caughtUp();
    await phone.store.caughtUp();

    const both = { id: "k1", title: "Buy oat milk", done: true };
    expect(await laptop.tasks.get("k1")).toEqual(both);
    await new Promise<void>((resolve) => {
      const end = phone.tasks.liveGet("k1").subscribe((task) => {
        if (task?.title === both.title && task.done) queueMicrotask(() => (end(), resolve()));
      });
    });
    expect(await hub.holds(user)).toEqual({ "tasks/k1": { title: "Buy oat milk", done: true } });
    await phone.store.close();
    await laptop.store.close();
  });
}
