import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

test.each(["websocket", "http"] as const)(
  "a token that the hub refuses is dropped and asked for again, over %s",
  async (transport) => {
    const asked: boolean[] = [];
    const token = ({ refused }: { refused: boolean }) => {
      asked.push(refused);
      return refused ? hub.token("refused") : "x.y.z";
    };
    const auth = { account: "refused", token };
    const { store } = new Disk().open({ serverUrl: hub.url, auth, transport });
    await store.caughtUp();
    expect(asked).toEqual([false, true]);
    expect(store.status.error).toBeNull();
    await store.close();
  },
);

test("an expired token pauses what is sent, and nothing else", async () => {
  let refused: () => void;
  const wasRefused = new Promise<"refused">((resolve) => (refused = () => resolve("refused")));
  let hasToken = false;
  let first = true;
  const auth = {
    account: "expired",
    token: async (asked: { refused: boolean }) => {
      if (asked.refused) refused();
      if (first) {
        first = false;
        return hub.token("expired", 1);
      }
      return hasToken ? hub.token("expired") : null;
    },
  };
  const phone = new Disk().open({ serverUrl: hub.url, auth });
  await phone.store.caughtUp();
  // Until its second is over the hub takes what is written.
  let [last, at] = ["", 0];
  for (;;) {
    const write = await phone.tasks.insert({ id: `k${at++}`, title: "on and on" });
    last = await Promise.race([write.synced(), wasRefused]);
    if (last === "refused") break;
  }
  await reaches(phone.store, ({ error }) => error?.code === "token_missing");
  await phone.tasks.insert({ id: "local", title: "still works" });
  expect(await phone.tasks.get("local")).toBeDefined();
  hasToken = true;
  await phone.store.caughtUp();
  expect(Object.keys(await hub.holds("expired"))).toHaveLength(at + 1);
  await phone.store.close();
});

test("another account's token is not used", async () => {
  const auth = { account: "ada", token: () => hub.token("grace") };
  const { store } = new Disk().open({ serverUrl: hub.url, auth });
  const { error } = await reaches(store, ({ status }) => status === "error");
  expect(error?.code).toBe("account_mismatch");
  await store.close();
});

test("an app that is not served is told", async () => {
  const other = await Hub.start({ HUB__APPS: "notes" });
  const auth = { account: "ada", token: () => other.token("ada") };
  const { store, tasks } = new Disk().open({ serverUrl: other.url, auth });
  const { error } = await reaches(store, ({ status }) => status === "error");
  expect(error?.code).toBe("app_unknown");
  await tasks.insert({ title: "works all the same" });
  await store.close();
  await other.stop();
});

test("an app that cannot reach whoever gives tokens is offline; one that fails says so", async () => {
  let fails: Error | null = new TypeError("fetch failed");
  let asked = 0;
  const auth = {
    account: "unreached",
    token: () => {
      asked++;
      if (fails) throw fails;
      return hub.token("unreached");
    },
  };
  const { store, tasks } = new Disk().open({ serverUrl: hub.url, auth });
  const seen: string[] = [];
  store.onStatus(({ status, error }) => seen.push(error?.code ?? status));
  const write = await tasks.insert({ title: "offline" });
  while (asked < 3) await new Promise((resolve) => setImmediate(resolve));
  expect(new Set(seen)).toEqual(new Set(["offline"]));
  fails = new Error("a fault of the app");
  await reaches(store, ({ error }) => error?.code === "token_failed");
  fails = null;
  store.stopSync();
  store.startSync();
  expect(await write.synced()).toBe("applied");
  await store.close();
});

test("what the hub tells does not wait for a token that is long in coming", async () => {
  const auth = { account: "slow", token: () => hub.token("slow") };
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  let comes = (_: string) => {};
  let first = true;
  const token = () => {
    // It is due at once.
    if (first) return ((first = false), hub.token("slow", 20));
    asked();
    return new Promise<string>((resolve) => (comes = resolve));
  };
  const slow = new Disk().open({ serverUrl: hub.url, auth: { account: "slow", token } });
  await slow.store.caughtUp();
  await isAsked;
  const other = new Disk().open({ serverUrl: hub.url, auth });
  const shown = new Promise<void>((resolve) => {
    slow.tasks.liveGet("k").subscribe((found) => found && resolve());
  });
  await other.tasks.insert({ id: "k", title: "news" });
  await shown;
  comes(await hub.token("slow"));
  for (const { store } of [slow, other]) await store.close();
});
