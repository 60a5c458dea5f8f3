/** A browser that gives no room for what the hub tells, and one that is asked to keep what it has. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const { put } = IDBObjectStore.prototype;
afterEach(() => void (IDBObjectStore.prototype.put = put));

function open(user: string, around = {}) {
  const auth = { account: user, token: () => hub.token(user) };
  return new Disk().open({ serverUrl: hub.url, auth, around });
}

/** Refuses every record that the hub tells. */
function fill(): void {
  IDBObjectStore.prototype.put = function (...asked) {
    if (this.name.startsWith("rows")) throw new DOMException("no room", "QuotaExceededError");
    return put.apply(this, asked);
  };
}

test.each(["a snapshot", "a change"])(
  "%s for which there is no room is told as quota, and comes when there is some",
  async (what) => {
    const user = what.replace(/\W/g, "-");
    const writer = open(user);
    await writer.tasks.insert({ id: "k", title: "first" });
    await writer.store.caughtUp();
    const reader = open(user);
    if (what === "a change") await reader.store.caughtUp();
    fill();
    void writer.store.close();
    const other = await hub.token(user);
    const change = { table: "tasks", id: "l", op: "insert", data: { title: "second" } };
    const answer = await fetch(`${hub.url}/v1/todo/push`, {
      method: "POST",
      headers: { authorization: `Bearer ${other}` },
      body: JSON.stringify({ client: "server", muts: [{ m: 1, changes: [change] }] }),
    });
    expect(answer.ok).toBe(true);
    await reaches(reader.store, ({ error }) => error?.code === "quota");
    IDBObjectStore.prototype.put = put;
    await reader.store.caughtUp();
    expect(await reader.tasks.count()).toBe(2);
    expect(reader.store.status.error).toBeNull();
    await reader.store.close();
  },
);

test("the browser is asked to keep what an account has, and may refuse", async () => {
  let asked = 0;
  const persist = () => {
    asked++;
    return Promise.reject(new Error("no"));
  };
  const { store, tasks } = open("persist", { storage: { persist } });
  await tasks.insert({ title: "kept or not" });
  await store.caughtUp();
  expect(asked).toBe(1);
  await store.close();
});
