/** What an app does in the midst of what it is told, or after the end, stops nothing. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const given = (user: string) => ({
  serverUrl: hub.url,
  auth: { account: user, token: () => hub.token(user) },
});

test("whoever listens hears last what is true, also if another changed it while it was told", async () => {
  const { store } = new Disk().open(given("listeners"));
  let isStopped = false;
  store.onStatus(({ status }) => {
    if (status !== "synced" || isStopped) return;
    isStopped = true;
    store.stopSync();
  });
  const heard: string[] = [];
  store.onStatus(({ status }) => heard.push(status));
  await reaches(store, ({ status }) => isStopped && status === "offline");
  expect(heard.at(-1)).toBe("offline");
  expect(heard.slice(heard.lastIndexOf("synced") + 1)).not.toContain("synced");
  await store.close();
});

test("a throw in what listens to presence keeps nobody from opening, writing and signing in", async () => {
  const told = vi.spyOn(console, "error").mockImplementation(() => {});
  const unhandled = vi.fn();
  vi.stubGlobal("reportError", unhandled);
  const { store, tasks } = new Disk().open({ serverUrl: hub.url });
  store.ephemeral.others().subscribe(() => {
    throw new Error("of the app");
  });
  await store.ready();
  await tasks.insert({ id: "k", title: "by the guest" });
  await store.signIn(given("presence").auth);
  await store.caughtUp();
  expect(store.account).toBe("presence");
  expect(Object.keys(await hub.holds("presence"))).toEqual(["tasks/k"]);
  expect(unhandled).toHaveBeenCalled();
  await store.close();
  vi.unstubAllGlobals();
  told.mockRestore();
});

test("a closed store that is started holds no other tab up", async () => {
  const disk = new Disk();
  const first = disk.open({ ...given("closed"), around: disk.tabs });
  await first.store.caughtUp();
  await first.store.close();
  first.store.startSync();
  const second = disk.open({ ...given("closed"), around: disk.tabs });
  const write = await second.tasks.insert({ id: "k", title: "sent" });
  expect(await write.synced()).toBe("applied");
  await second.store.close();
});
