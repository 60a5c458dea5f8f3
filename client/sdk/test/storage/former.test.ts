/** What is known of a database that could not be read, once it can be or is gone. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Database } from "../../src/storage/database";
import { openDatabase } from "../../src/storage/open";
// Loaded before: while a part is loaded time passes faster here than it takes.
import { endFormers } from "../../src/storage/salvage";
import { surroundings } from "../../src/surroundings";
import { Disk, reaches, unreadable, type Given } from "../device";
import { passes } from "../eventually";
import { passing } from "../passing";

const auth = { account: "ada", token: () => null };
const given = { serverUrl: "http://127.0.0.1:1", autoSync: false, auth };

/** Looks at what was left in former places. */
const looks: Promise<unknown>[] = [];
vi.mock("../../src/storage/salvage", async (original) => {
  const { salvage, ...others } = await original<typeof import("../../src/storage/salvage")>();
  return {
    ...others,
    salvage: (...given: Parameters<typeof salvage>) => {
      const look = salvage(...given);
      looks.push(look);
      return look;
    },
  };
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  looks.length = 0;
});
afterEach(() => void vi.useRealTimers());

async function visit(disk: Disk, id: string, more: Given = {}) {
  const { store, tasks } = disk.open({ ...given, ...more });
  await passing(tasks.insert({ id, title: `of ${id}` }));
  await passing(store.close());
}

/** Opens the app when all can be read, and looks at what was left. */
async function well(disk: Disk, more: Given = {}) {
  looks.length = 0;
  const tab = disk.open({ ...given, ...more });
  await passing(tab.store.ready());
  await passing(passes(() => expect(looks).not.toEqual([])));
  await passing(Promise.all(looks));
  return tab;
}

const remove = (disk: Disk, name: string) =>
  new Promise((resolve) => (disk.indexedDB.deleteDatabase(name).onsuccess = resolve));

test("what was in a database that is gone when it could be read again stays lost", async () => {
  const disk = new Disk();
  await visit(disk, "a");
  await visit(disk, "b", unreadable(disk));
  await remove(disk, "syncline/todo/user/ada");
  const { store, tasks } = await well(disk);
  expect(await passing(tasks.query())).toMatchObject([{ id: "b" }]);
  await passing(store.close());
  // And looking has made none.
  const names = (await disk.indexedDB.databases()).map(({ name }) => name);
  expect(names).not.toContain("syncline/todo/user/ada");
  const again = await well(disk);
  expect(again.store.status.error?.code).toBe("storage_lost");
  await passing(again.store.close());
});

test("what a database had lost before it could not be read is told in the next place", async () => {
  const disk = new Disk();
  await visit(disk, "a");
  await remove(disk, "syncline/todo/user/ada");
  await visit(disk, "b");
  await visit(disk, "c", unreadable(disk));
  const { store, tasks } = await well(disk);
  expect(await passing(tasks.query())).toMatchObject([{ id: "b" }, { id: "c" }]);
  const { error } = await passing(
    reaches(store, ({ error }) => error?.message.includes("evicted") ?? false),
  );
  expect(error?.code).toBe("storage_lost");
  await passing(store.close());
});

test("what a guest wrote that could not be read at the sign-in is the account's later", async () => {
  const disk = new Disk();
  await visit(disk, "secret", { auth: null });
  const { around } = unreadable(disk, "syncline/todo/guest");
  const guest = disk.open({ ...given, auth: null, around });
  await passing(guest.tasks.insert({ id: "new", title: "in the next place" }));
  await passing(guest.store.signIn(auth));
  expect(guest.store.status.error?.code).toBe("storage_lost");
  await passing(guest.store.close());
  const { store, tasks } = await well(disk);
  expect(await passing(tasks.query())).toMatchObject([{ id: "new" }, { id: "secret" }]);
  await passing(reaches(store, ({ error }) => error === null));
  // Nobody else is shown it.
  await passing(store.signOut({ unsynced: "keep" }));
  expect(await passing(tasks.query())).toEqual([]);
  await passing(store.close());
});

test.each([
  ["a seed", { seed: [{ id: "s", title: "Welcome" }] }],
  ["an insert", {}],
])("%s of before does not cover what was edited after it in the next place", async (_, more) => {
  const disk = new Disk();
  const guest = { auth: null, ...more };
  const one = disk.open({ ...given, ...guest });
  if (!("seed" in more)) await passing(one.tasks.insert({ id: "s", title: "old" }));
  await passing(one.store.ready());
  await passing(one.store.close());
  const two = disk.open({ ...given, ...guest, ...unreadable(disk) });
  const edit =
    "seed" in more
      ? two.tasks.update("s", { title: "new" })
      : two.tasks.insert({ id: "s", title: "new" });
  const write = await passing(edit);
  const told = write.synced();
  void told.catch(() => {});
  await passing(two.store.close());
  const three = await well(disk, guest);
  expect(await passing(three.tasks.get("s"))).toMatchObject({ title: "new" });
  await passing(three.store.close());
});

test("a sign-out that must leave nothing unsent does not leave what cannot be read, unless that is accepted", async () => {
  const disk = new Disk();
  await visit(disk, "a");
  const { store, tasks } = disk.open({ ...given, ...unreadable(disk) });
  await passing(store.ready());
  const out = () => passing(store.signOut({ unsynced: "push", within: 100 }));
  await expect(out()).rejects.toMatchObject({ code: "unsynced" });
  expect(store.account).toBe("ada");
  await passing(store.acknowledge());
  await out();
  expect([store.account, await passing(tasks.count())]).toEqual([null, 0]);
  await passing(store.close());
});

test("a former database that opens and cannot be read is left behind once that is accepted", async () => {
  const disk = new Disk();
  await visit(disk, "a");
  const { store } = disk.open({ ...given, ...unreadable(disk) });
  await passing(store.ready());
  const read = vi.spyOn(Database.prototype, "read").mockImplementation(async function (
    this: Database,
    key,
  ) {
    if (this.place === 1 && this.asked.endsWith("ada"))
      throw new DOMException("a block is damaged", "UnknownError");
    return original.call(this, key) as never;
  });
  await passing(store.acknowledge());
  await passing(store.signOut({ unsynced: "push", within: 100 }));
  expect(store.account).toBeNull();
  read.mockRestore();
  await passing(store.close());
});

test("what has moved out of a former database is sent, also where that cannot be left behind", async () => {
  const disk = new Disk();
  await visit(disk, "a");
  await visit(disk, "b", unreadable(disk));
  const around = surroundings(disk.surroundings());
  const db = await passing(openDatabase("syncline/todo/user/ada", ["n"], around));
  expect([db.place, await passing(db.outbox.count())]).toEqual([2, 1]);
  const keep = Database.prototype.keep as (this: Database, ...asked: unknown[]) => Promise<void>;
  vi.spyOn(Database.prototype, "keep").mockImplementation(async function (
    this: Database,
    ...asked: unknown[]
  ) {
    if (this.place === 1) throw new Error("a fault of its own");
    return keep.apply(this, asked);
  } as never);
  const moved = vi.fn();
  await expect(passing(endFormers(db, around, moved))).rejects.toThrow("a fault of its own");
  expect(await passing(db.outbox.count())).toBe(2);
  expect(moved).toHaveBeenCalledOnce();
  vi.restoreAllMocks();
  db.close();
});

// eslint-disable-next-line @typescript-eslint/unbound-method
const original = Database.prototype.read as (this: Database, key: string) => Promise<unknown>;
