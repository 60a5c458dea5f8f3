import { expect, test } from "vitest";
import { Disk, reaches } from "../device";

const auth = { account: "ada", token: () => null };

test("accounts do not see each other's data, nor a guest's", async () => {
  const disk = new Disk();
  for (const each of [auth, { ...auth, account: "grace" }, null]) {
    const { store, tasks } = disk.open({ serverUrl: "http://127.0.0.1:1", auth: each });
    expect(await tasks.count()).toBe(0);
    await tasks.insert({ title: "mine" });
    await store.close();
  }
});

test("a database that was evicted is noticed", async () => {
  const disk = new Disk();
  const before = disk.open({ serverUrl: "http://127.0.0.1:1", auth, autoSync: false });
  await before.tasks.insert({ title: "gone" });
  expect(before.store.status.error).toBeNull();
  await before.store.close();
  const [{ name }] = (await disk.indexedDB.databases()) as [{ name: string }];
  await new Promise((resolve) => {
    disk.indexedDB.deleteDatabase(name).onsuccess = resolve;
  });
  const after = disk.open({ serverUrl: "http://127.0.0.1:1", auth, autoSync: false });
  const { error } = await reaches(after.store, (status) => status.error !== null);
  expect(error?.code).toBe("storage_lost");
  expect(await after.tasks.count()).toBe(0);
  await after.store.close();
});

test("a new index finds what was written before it", async () => {
  const disk = new Disk();
  const before = disk.open();
  await before.tasks.insert({ id: "k", title: "old" });
  await before.store.close();
  const after = disk.open({ indexes: ["n", "title"] });
  expect(await after.tasks.query({ filter: { title: "old" } })).toHaveLength(1);
  await after.store.close();
});

test("a browser without room says so, and the write is not half there", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open();
  await store.ready();
  const add = IDBObjectStore.prototype.add;
  IDBObjectStore.prototype.add = () => {
    throw new DOMException("no room", "QuotaExceededError");
  };
  try {
    await expect(tasks.insert({ title: "too much" })).rejects.toMatchObject({ code: "quota" });
  } finally {
    IDBObjectStore.prototype.add = add;
  }
  expect(await tasks.count()).toBe(0);
  await tasks.insert({ title: "now there is" });
  await store.close();
});
