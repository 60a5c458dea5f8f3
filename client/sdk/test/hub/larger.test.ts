/** Records of which many do not go into one mutation. */
import { expect, test } from "vitest";
import { Disk } from "../device";
import { Hub } from "../hub";

const COUNT = 120;
const ids = Array.from({ length: COUNT }, (_, at) => `k${at}`);
const title = "x".repeat(12_000);

async function fill({ tasks }: ReturnType<Disk["open"]>) {
  for (const id of ids) await tasks.insert({ id, title });
}

const account = (hub: Hub, user: string) => ({ account: user, token: () => hub.token(user) });

test("a hub that begins anew is given back what the devices hold of them", async () => {
  const [disk, first] = [new Disk(), await Hub.start()];
  const before = disk.open({ serverUrl: first.url, auth: account(first, "ada") });
  await fill(before);
  await before.store.caughtUp();
  await before.store.close();
  await first.stop();
  const hub = await Hub.start();
  const after = disk.open({ serverUrl: hub.url, auth: account(hub, "ada") });
  await after.store.caughtUp();
  expect(await after.store.rejected.list()).toEqual([]);
  expect(await after.tasks.count()).toBe(COUNT);
  expect(Object.keys(await hub.holds("ada"))).toHaveLength(COUNT);
  await after.store.close();
  await hub.stop();
});

test("an account is made like a guest that has them", async () => {
  const hub = await Hub.start();
  const guest = new Disk().open({ serverUrl: hub.url });
  await fill(guest);
  await guest.store.signIn(account(hub, "bob"), "keep-local");
  await guest.store.caughtUp();
  expect(Object.keys(await hub.holds("bob"))).toHaveLength(COUNT);
  await guest.store.close();
  await hub.stop();
});

test("an account of which a guest's record is too large for the hub keeps nothing less for that", async () => {
  const hub = await Hub.start();
  const auth = account(hub, "eve");
  const other = new Disk().open({ serverUrl: hub.url, auth });
  await (await other.tasks.insert({ id: "precious", title: "at the hub" })).synced();
  await other.store.close();
  const guest = new Disk().open({ serverUrl: hub.url });
  await guest.tasks.insert({ id: "big", title: "x".repeat(600_000) });
  await guest.lists.insert({ id: "small", name: "fits" });
  await guest.tasks.update("big", { more: "x".repeat(600_000) } as never);
  await guest.store.signIn(auth, "keep-local");
  await guest.store.caughtUp();
  // What is too large is refused alone, and not lost.
  expect(await guest.store.rejected.list()).toMatchObject([{ changes: [{ id: "big" }] }]);
  expect(Object.keys(await hub.holds("eve"))).toEqual(["lists/small"]);
  await guest.store.close();
  await hub.stop();
});
