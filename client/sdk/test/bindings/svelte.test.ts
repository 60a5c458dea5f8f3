// @vitest-environment happy-dom
import { flushSync, mount, unmount } from "svelte";
import { afterEach, expect, test } from "vitest";
import { Disk, reaches } from "../device";
import { say } from "../../src/svelte/index";
import { shows, textOf, textsOf } from "./page";
import { choosing } from "./shown.svelte";
import Tasks from "./Tasks.svelte";

let end = async () => {};
afterEach(async () => {
  await end();
  end = async () => {};
});

function open(done = false) {
  const { store, tasks } = new Disk().open({ serverUrl: "http://127.0.0.1:1" });
  const shown = choosing({ done });
  const app = mount(Tasks, { target: document.body, props: { store, tasks, shown } });
  end = async () => {
    await unmount(app);
    await store.close();
  };
  return { store, tasks, shown };
}

test("a live query shows what is written, and another one when what it asks for changes", async () => {
  const { tasks, shown } = open();
  await shows(() => expect(textsOf("#tasks li")).toEqual([]));
  await tasks.insert({ id: "b", title: "Bread", done: false });
  await tasks.insert({ id: "a", title: "Apples", done: false });
  await tasks.insert({ id: "c", title: "Cheese", done: true });
  await shows(() => expect(textsOf("#tasks li")).toEqual(["Apples", "Bread"]));
  await tasks.update("a", { done: true });
  await shows(() => expect(textsOf("#tasks li")).toEqual(["Bread"]));
  flushSync(() => (shown.done = true));
  // The last result stays until there is another.
  expect(textsOf("#tasks li")).toEqual(["Bread"]);
  await shows(() => expect(textsOf("#tasks li")).toEqual(["Apples", "Cheese"]));
});

test("the status tells a guest from an account that cannot sync, and counts what waits", async () => {
  const { store, tasks } = open();
  expect(textOf(".sync-status")).toBe("Saved on this device");
  await tasks.insert({ title: "Bread" });
  await shows(() => expect(textOf("#pending")).toBe("1"));
  const token = () => Promise.reject(new Error("no such session"));
  await store.signIn({ account: "ada", token });
  await shows(() => expect(textOf(".sync-status")).toBe("Not syncing"));
  expect(textOf(".debug-panel dl")).toContain("Account ada");
  await shows(() => expect(textOf("[aria-label='Last errors']")).toContain("token_failed"));
});

test("the debug panel shows cursor, lag and outbox, and who the device is", async () => {
  const { store, tasks } = open();
  await tasks.insert({ title: "Bread" });
  const { client, cursor, outbox, lag, behind } = await store.inspect();
  expect({ cursor, outbox, behind }).toEqual({ cursor: null, outbox: 1, behind: 0 });
  expect(lag).toBeGreaterThanOrEqual(0);
  await shows(() => {
    const text = textOf(".debug-panel dl");
    for (const part of [
      `Client ${client}`,
      "Cursor none",
      "Outbox 1",
      "Rejected 0",
      "Account guest",
    ])
      expect(text).toContain(part);
  });
});

test("the lag is that of people's writes, not of seeds, which carry the oldest time there is", async () => {
  const { store, tasks } = new Disk().open({ seed: [{ id: "seed", title: "Try me" }] });
  await store.ready();
  expect(await store.inspect()).toMatchObject({ outbox: 1, lag: 0 });
  await tasks.insert({ title: "Bread" });
  const { outbox, lag } = await store.inspect();
  expect(outbox).toBe(2);
  expect(lag).toBeLessThan(60_000);
  await store.close();
});

test("nothing is asked for any more when nothing shows it", async () => {
  const { store, tasks } = new Disk().open();
  let running = 0;
  const live = tasks.live.bind(tasks);
  tasks.live = (asked) => ({
    subscribe: (...calls) => {
      running++;
      const stop = live(asked).subscribe(...calls);
      return () => {
        running--;
        stop();
      };
    },
  });
  const props = { store, tasks, shown: choosing({ done: false }) };
  const app = mount(Tasks, { target: document.body, props });
  flushSync();
  expect(running).toBe(1);
  await unmount(app);
  await Promise.resolve();
  expect(running).toBe(0);
  await store.close();
});

test("errors are kept while nothing shows them, the newest first, and one that lasts once", async () => {
  const serverUrl = "http://127.0.0.1:1";
  const { store, tasks } = new Disk().open({ serverUrl, around: { random: () => 0 } });
  const tells = (text: string) =>
    new Promise<void>((resolve) => {
      store.onStatus(({ error }) => error?.message.includes(text) && resolve());
    });
  expect(store.errors).toEqual([]);
  let asked = 0;
  // Each twice, and at last one that lasts.
  const token = () =>
    asked < 32
      ? Promise.reject(new Error(`no session ${Math.floor(asked++ / 2)}`))
      : new Promise<string>(() => {});
  const [third, sixteenth] = [tells("session 3"), tells("session 15")];
  await store.signIn({ account: "ada", token });
  await third;
  expect(store.errors.map(({ message }) => message.slice(-1))).toEqual(["3", "2", "1", "0"]);
  expect(store.errors[0]).toMatchObject({ code: "token_failed", at: expect.any(Number) });
  await sixteenth;
  await tasks.insert({ title: "Bread" });
  await reaches(store, ({ pending }) => pending === 1);
  expect(store.errors.map(({ message }) => message.split(" ").at(-1))).toEqual(
    Array.from({ length: 10 }, (_, at) => String(15 - at)),
  );
  await store.close();
});

test.each([
  [{ status: "synced" }, "Synced", "Everything is saved here and on your other devices."],
  [
    { status: "pending", pending: 1 },
    "1 change to send",
    "Saved on this device, and sent in a moment.",
  ],
  [{ status: "syncing" }, "Syncing", "Changes are on their way."],
  [
    { status: "syncing", bootstrap: { done: 5, total: 10 } },
    "Loading 50 %",
    "This device is being filled.",
  ],
  [
    { status: "syncing", bootstrap: { done: 11, total: 10 } },
    "Loading 99 %",
    "This device is being filled.",
  ],
  [
    { status: "syncing", bootstrap: { done: 5, total: null } },
    "Loading 5 records",
    "This device is being filled.",
  ],
  [{ status: "offline" }, "Offline", "Everything works. Changes are sent when there is a network."],
  [
    { status: "offline", pending: 2 },
    "Offline, 2 changes to send",
    "Everything works. Changes are sent when there is a network.",
  ],
  [
    { status: "offline", account: null, pending: 2 },
    "Saved on this device",
    "Sign in to have it on your others too.",
  ],
  [
    { status: "error", error: { code: "forbidden", message: "not yours" } },
    "Not syncing",
    "not yours",
  ],
  [{ status: "error" }, "Not syncing", ""],
] as const)("the status %j has words", (some, label, hint) => {
  const base = { account: "ada", pending: 0, error: null, bootstrap: null };
  expect(say({ ...base, ...some })).toEqual({ label, hint });
});
