// @vitest-environment happy-dom
import { flushSync, mount, unmount } from "svelte";
import { afterEach, expect, test } from "vitest";
import { Disk } from "../device";
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
  const shown = choosing(done);
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
  expect(textOf("[role=status]")).toBe("Saved on this device");
  await tasks.insert({ title: "Bread" });
  await shows(() => expect(textOf("#pending")).toBe("1"));
  const token = () => Promise.reject(new Error("no such session"));
  await store.signIn({ account: "ada", token });
  await shows(() => expect(textOf("[role=status]")).toBe("Not syncing"));
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
  const props = { store, tasks, shown: choosing(false) };
  const app = mount(Tasks, { target: document.body, props });
  flushSync();
  expect(running).toBe(1);
  await unmount(app);
  await Promise.resolve();
  expect(running).toBe(0);
  await store.close();
});

test("every status has words", () => {
  const base = { account: "ada", pending: 0, error: null, bootstrap: null };
  const label = (some: object) => say({ ...base, ...some } as Parameters<typeof say>[0]).label;
  expect(label({ status: "synced" })).toBe("Synced");
  expect(label({ status: "pending", pending: 1 })).toBe("1 change to send");
  expect(label({ status: "syncing" })).toBe("Syncing");
  expect(label({ status: "syncing", bootstrap: { done: 5, total: 10 } })).toBe("Loading 50 %");
  expect(label({ status: "syncing", bootstrap: { done: 5, total: null } })).toBe(
    "Loading 5 records",
  );
  expect(label({ status: "offline", pending: 2 })).toBe("Offline, 2 changes to send");
  expect(label({ status: "offline", account: null, pending: 2 })).toBe("Saved on this device");
  const error = { code: "forbidden", message: "not yours" };
  expect(say({ ...base, status: "error", error })).toEqual({
    label: "Not syncing",
    hint: "not yours",
  });
});
