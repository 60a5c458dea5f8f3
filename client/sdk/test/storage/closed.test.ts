/** A store that was closed, and one that could not be opened. */
import { expect, test } from "vitest";
import { Disk, withoutRoom } from "../device";

const serverUrl = "http://127.0.0.1:1";
const auth = { account: "ada", token: () => null };

/** The connections to databases that are made from now on. */
function connectionsOf(disk: Disk): IDBDatabase[] {
  const made: IDBDatabase[] = [];
  const open = disk.indexedDB.open.bind(disk.indexedDB);
  disk.indexedDB.open = (...given) => {
    const request = open(...given);
    request.addEventListener("success", () => made.push(request.result));
    return request;
  };
  return made;
}

function isOpen(connection: IDBDatabase): boolean {
  try {
    connection.transaction("outbox");
    return true;
  } catch {
    return false;
  }
}

test("whatever is asked of a closed store fails alike, and opens nothing", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open({ serverUrl });
  await tasks.insert({ id: "k", title: "stays" });
  await store.close();
  const asked = [
    () => tasks.get("k"),
    () => tasks.query(),
    () => tasks.insert({ title: "too late" }),
    () => store.rejected.list(),
    () => store.inspect(),
    () => store.caughtUp(),
    () => store.ready(),
    () => store.ephemeral.show("here"),
    () => store.signIn(auth),
    () => store.signOut({ unsynced: "push" }),
  ];
  for (const ask of asked) await expect(ask()).rejects.toMatchObject({ code: "stopped" });
  const names = (await disk.indexedDB.databases()).map(({ name }) => name);
  expect(names).toEqual(["syncline/todo/guest"]);
  await store.close();
});

test("a store that is closed while somebody signs in is nobody's, and the guest's data stays", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open({ serverUrl });
  await tasks.insert({ id: "k", title: "a guest's" });
  const signedIn = store.signIn(auth).then(
    () => true,
    (error: { code: string }) => error.code,
  );
  await Promise.resolve();
  await store.close();
  expect(await signedIn).toBe("stopped");
  await expect(tasks.query()).rejects.toMatchObject({ code: "stopped" });
  // It moved in or it did not: it is in one of both.
  const [guest, ada] = [disk.open({ serverUrl }), disk.open({ serverUrl, auth })];
  const held = [...(await guest.tasks.query()), ...(await ada.tasks.query())];
  expect(held.map(({ id }) => id)).toEqual(["k"]);
  for (const each of [guest, ada]) await each.store.close();
});

test("a store can be closed while a sign-in waits for the hub", async () => {
  const { store, tasks } = new Disk().open({ serverUrl });
  await tasks.insert({ id: "k", title: "a guest's" });
  let asked = () => {};
  const wasAsked = new Promise<void>((resolve) => (asked = resolve));
  const token = () => (asked(), null);
  const signedIn = store.signIn({ account: "ada", token }, "keep-local");
  signedIn.catch(() => {});
  await wasAsked;
  await store.close();
  await expect(signedIn).rejects.toMatchObject({ code: "stopped" });
});

test("a store that is closed while it opens leaves nothing open", async () => {
  const disk = new Disk();
  const opened = connectionsOf(disk);
  const { store } = disk.open({ serverUrl });
  await store.close();
  expect(opened).toHaveLength(1);
  expect(opened.some(isOpen)).toBe(false);
});

test("a sign-in that fails leaves nothing of the account open", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open({ serverUrl, autoSync: false });
  await store.signIn(auth);
  await store.signOut({ unsynced: "keep" });
  await tasks.insert({ id: "k", title: "a guest's" });
  const opened = connectionsOf(disk);
  await withoutRoom(async () => {
    await expect(store.signIn(auth)).rejects.toMatchObject({ code: "quota" });
  });
  expect(opened.map(({ name }) => name)).toEqual(["syncline/todo/user/ada"]);
  expect(opened.some(isOpen)).toBe(false);
  await store.close();
});

test("a store that could not be opened says why, and can be closed", async () => {
  const disk = new Disk();
  disk.indexedDB.open = () => {
    throw new DOMException("no room", "QuotaExceededError");
  };
  const { store, tasks } = disk.open();
  await expect(store.ready()).rejects.toMatchObject({ code: "quota" });
  await expect(tasks.insert({ title: "nowhere" })).rejects.toMatchObject({ code: "quota" });
  expect([store.status.error?.code, store.errors[0]?.code]).toEqual(["quota", "quota"]);
  await store.close();
});

test("who is told that the store is open after all finds it open", async () => {
  const disk = new Disk();
  const { open } = disk.indexedDB;
  disk.indexedDB.open = () => {
    throw new DOMException("no room", "QuotaExceededError");
  };
  const { store, tasks } = disk.open();
  await expect(store.ready()).rejects.toMatchObject({ code: "quota" });
  const asked = new Promise<unknown>((resolve) => {
    store.onStatus(({ error }) => error === null && resolve(tasks.count()));
  });
  disk.indexedDB.open = open;
  expect(await asked).toBe(0);
  await store.close();
});

test("a session that fails while it begins leaves no database open", async () => {
  const disk = new Disk();
  const given = { serverUrl, autoSync: false };
  // A guest of an app that had no seeds yet.
  const before = disk.open(given);
  await before.store.ready();
  await before.store.close();
  const opened = connectionsOf(disk);
  await withoutRoom(async () => {
    const { store } = disk.open({ ...given, seed: [{ id: "s", title: "a seed" }] });
    await expect(store.ready()).rejects.toMatchObject({ code: "quota" });
    await store.close();
  });
  expect(opened).not.toEqual([]);
  expect(opened.some(isOpen)).toBe(false);
});
