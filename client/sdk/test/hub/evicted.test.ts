import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, reaches, type Task } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

test("a database that is deleted under the store is filled again, and the loss is told", async () => {
  const auth = { account: "evicted", token: () => hub.token("evicted") };
  const disk = new Disk();
  const device = disk.open({ serverUrl: hub.url, auth });
  await device.tasks.insert({ id: "sent", title: "at the hub" });
  await device.store.caughtUp();
  device.store.stopSync();
  const lost = await device.tasks.insert({ id: "unsent", title: "only here" });
  let shown: string[] = [];
  let told = () => {};
  device.tasks.live().subscribe((found: Task[]) => {
    shown = found.map((one) => one.id);
    told();
  });
  const shows = (...ids: string[]) =>
    new Promise<void>((resolve) => {
      told = () => void (shown.join() === ids.join() && resolve());
      told();
    });
  await shows("sent", "unsent");

  await disk.evict();
  await shows();
  const { error } = await reaches(device.store, (status) => status.error !== null);
  expect(error?.code).toBe("storage_lost");
  await expect(lost.synced()).rejects.toMatchObject({ code: "stopped" });
  device.store.startSync();
  await shows("sent");
  await device.tasks.insert({ id: "later", title: "written afterwards" });
  await device.store.caughtUp();
  expect(Object.keys(await hub.holds("evicted")).sort()).toEqual(["tasks/later", "tasks/sent"]);
  await device.store.close();
});
