/** Sign-ins and sign-outs that are asked for at once take turns. */
import { expect, test } from "vitest";
import { Disk } from "../device";

const serverUrl = "http://127.0.0.1:1";
const auth = { account: "ada", token: () => null };

test("of two sign-ins at once the first is done, and the second told that somebody is signed in", async () => {
  const { store, tasks } = new Disk().open({ serverUrl });
  await tasks.insert({ id: "k", title: "a guest's" });
  const asked = [store.signIn(auth), store.signIn({ ...auth, account: "grace" })];
  const [first, second] = await Promise.allSettled(asked);
  expect(first).toMatchObject({ status: "fulfilled" });
  expect(second).toMatchObject({ reason: { code: "signed_in" } });
  expect(store.account).toBe("ada");
  expect(await tasks.query()).toMatchObject([{ id: "k" }]);
  await store.close();
});

test("of two sign-outs at once both end with the same guest, of whom all is kept", async () => {
  const { store, tasks } = new Disk().open({ serverUrl, auth });
  await tasks.insert({ id: "k", title: "ada's" });
  const told: string[][] = [];
  tasks.live().subscribe((found) => told.push(found.map(({ id }) => id)));
  await Promise.all([
    store.signOut({ unsynced: "discard" }),
    store.signOut({ unsynced: "discard" }),
  ]);
  expect(store.account).toBeNull();
  await tasks.insert({ id: "l", title: "a guest's" });
  expect(await tasks.query()).toMatchObject([{ id: "l" }]);
  await store.close();
});

test("a sign-in that is asked for during a sign-out comes after it", async () => {
  const { store, tasks } = new Disk().open({ serverUrl, auth });
  await tasks.insert({ id: "k", title: "ada's" });
  const out = store.signOut({ unsynced: "discard" });
  await store.signIn({ ...auth, account: "grace" });
  await out;
  expect(store.account).toBe("grace");
  expect(await tasks.query()).toEqual([]);
  await store.close();
});
