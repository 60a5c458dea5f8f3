/** Edits that stand on each other keep their order, whatever moves in between. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Disk } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

test("what an account has unsent keeps its order when a guest's seed moves in", async () => {
  const auth = { account: "ordered", token: () => hub.token("ordered") };
  const seed = [{ id: "inbox", title: "Inbox" }];
  const { store, tasks } = new Disk().open({ serverUrl: hub.url, auth, seed });
  await store.caughtUp();
  store.stopSync();
  await store.write([
    tasks.edits.update("inbox", { n: 1 }),
    tasks.edits.insert({ id: "b", title: "first" }),
  ]);
  await tasks.update("b", { title: "last" });
  await store.signOut({ unsynced: "keep" });
  await tasks.update("inbox", { done: true });
  await store.signIn(auth, "merge");
  const shown = [
    { id: "b", title: "last" },
    { id: "inbox", title: "Inbox", n: 1, done: true },
  ];
  expect(await tasks.query()).toMatchObject(shown);
  store.startSync();
  await store.caughtUp();
  expect(await store.rejected.list()).toEqual([]);
  expect(await tasks.query()).toMatchObject(shown);
  await store.close();
});
