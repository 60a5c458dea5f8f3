import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import { Disk, reaches, type Task } from "../device";
import { Hub } from "../hub";
import type { LocalCollection } from "../../src/index";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const seed: Task[] = [
  { id: "welcome", title: "Try me" },
  { id: "second", title: "Delete me" },
];
const given = () => ({ serverUrl: hub.url, seed });
const account = (user: string) => ({ account: user, token: () => hub.token(user) });

const ids = async (tasks: LocalCollection<Task>) => (await tasks.query()).map(({ id }) => id);

/** An account in which another device has been before. */
async function lived(user: string) {
  const other = new Disk().open({ ...given(), auth: account(user) });
  await other.store.caughtUp();
  await other.tasks.insert({ id: "server", title: "from the account" });
  await other.tasks.update("welcome", { title: "Tried" });
  await other.tasks.delete("second");
  await other.store.caughtUp();
  await other.store.close();
}

test("a guest begins with the seeds, once", async () => {
  const disk = new Disk();
  for (let visit = 0; visit < 2; visit++) {
    const { store, tasks } = disk.open(given());
    expect(await tasks.query({ sort: "title" })).toEqual([...seed].reverse());
    expect(store.account).toBeNull();
    expect(store.syncStatus).toBe("offline");
    await store.close();
  }
});

test("an account nobody has written to begins with the seeds, whoever comes first", async () => {
  const devices = [0, 1].map(() => new Disk().open({ ...given(), auth: account("fresh") }));
  for (const { store } of devices) await store.caughtUp();
  for (const { store } of devices) await store.caughtUp();
  for (const { tasks } of devices) expect(await tasks.count()).toBe(2);
  expect(Object.keys(await hub.holds("fresh"))).toHaveLength(2);
  for (const { store } of devices) await store.close();
});

test("merge keeps what the guest and the account did, and brings no seed back", async () => {
  await lived("merge");
  const guest = new Disk().open(given());
  await guest.tasks.insert({ id: "guest", title: "from the guest" });
  // A live query goes over to the account.
  const goesOver = new Promise<void>((resolve) => {
    const ids = (found: Task[]) => found.map((one) => one.id).join();
    guest.tasks.live().subscribe((found) => ids(found) === "guest,server,welcome" && resolve());
  });
  await guest.store.signIn(account("merge"), "merge");
  await guest.store.caughtUp();
  const merged = {
    "tasks/guest": { title: "from the guest" },
    "tasks/server": { title: "from the account" },
    "tasks/welcome": { title: "Tried" },
  };
  expect(await hub.holds("merge")).toEqual(merged);
  expect((await guest.tasks.query()).map((one) => one.id)).toEqual(["guest", "server", "welcome"]);
  expect(guest.store.account).toBe("merge");
  await goesOver;
  await guest.store.close();
});

// The first is what a hub takes, the other what it would clamp.
test.each([30_000, 3_600_000])(
  "what is edited after a sign-in is newer than what the guest did, by a clock %i ms ahead",
  async (ahead) => {
    const user = `ahead-${ahead}`;
    await lived(user);
    const now = () => Date.now() + ahead;
    const guest = new Disk().open({ ...given(), pushDebounce: 500, around: { now } });
    await guest.tasks.insert({ id: "k", title: "by the guest" });
    await guest.tasks.update("k", { title: "by the guest again" });
    await guest.store.signIn(account(user));
    // The hub has told its time.
    await reaches(guest.store, ({ status }) => status !== "offline");
    const write = await guest.tasks.update("k", { title: "by the account" });
    expect(await write.synced()).toBe("applied");
    await guest.store.caughtUp();
    expect(await hub.holds(user)).toEqual({
      "tasks/k": { title: "by the account" },
      "tasks/server": { title: "from the account" },
      "tasks/welcome": { title: "Tried" },
    });
    await guest.store.close();
  },
);

test("a guest whose sign-in breaks off when it has moved in does not move in again", async () => {
  const disk = new Disk();
  const guest = disk.open(given());
  await guest.tasks.insert({ id: "guest", title: "first" });
  const { clear } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.clear = () => {
    throw new DOMException("the tab was closed", "AbortError");
  };
  await expect(guest.store.signIn(account("again"))).rejects.toThrow();
  IDBObjectStore.prototype.clear = clear;
  await guest.tasks.insert({ id: "later", title: "written after that" });
  await guest.store.close();

  const second = disk.open({ ...given(), auth: account("again") });
  await second.tasks.update("guest", { title: "newer" });
  await second.store.caughtUp();
  await second.store.close();

  const third = disk.open(given());
  expect(await third.tasks.get("guest")).toMatchObject({ title: "first" });
  await third.store.signIn(account("again"));
  await third.store.caughtUp();
  expect(await hub.holds("again")).toMatchObject({
    "tasks/guest": { title: "newer" },
    "tasks/later": { title: "written after that" },
  });
  await third.store.close();
});

test.each(["merge", "keep-local"] as const)(
  "what another tab writes during a sign-in moves in or stays a guest's, with %s",
  async (choice) => {
    const disk = new Disk();
    const [tab, other] = [disk.open(given()), disk.open(given())];
    await tab.tasks.insert({ id: "first", title: "before" });
    const written = new Set(["first"]);
    let isIn = false;
    const signedIn = tab.store.signIn(account(`tabs-${choice}`), choice).then(() => (isIn = true));
    while (!isIn) {
      const { id } = await other.tasks.insert({ title: "by another tab" });
      written.add(id);
      // This way waits for the hub; a write while the hub answers something else is enough.
      if (choice === "keep-local") await hub.token("somebody");
    }
    await signedIn;
    const { id: last } = await other.tasks.insert({ title: "by another tab, afterwards" });
    written.add(last);
    const moved = (await tab.tasks.query()).map((task) => task.id);
    const stayed = (await other.tasks.query()).map((task) => task.id);
    const isSeed = (id: string) => seed.some((one) => one.id === id);
    expect([...moved, ...stayed].filter((id) => !isSeed(id)).sort()).toEqual([...written].sort());
    expect(moved.length).toBeGreaterThan(3);
    expect(stayed).toContain(last);
    for (let time = 0; time < 2; time++) await tab.store.caughtUp();
    // Nobody has written to it before, so that it begins with the seeds.
    const held = new Set([...moved, ...seed.map(({ id }) => id)].map((id) => `tasks/${id}`));
    expect(new Set(Object.keys(await hub.holds(`tabs-${choice}`)))).toEqual(held);

    // The other tab can sign in as well.
    await other.store.signIn(account(`tabs-${choice}`), "merge");
    await other.store.caughtUp();
    const all = Object.keys(await hub.holds(`tabs-${choice}`));
    expect(all).toEqual(expect.arrayContaining([...written].map((id) => `tasks/${id}`)));
    for (const { store } of [tab, other]) await store.close();
  },
);

test("keep-server drops what the guest did", async () => {
  await lived("theirs");
  const before = await hub.holds("theirs");
  const guest = new Disk().open(given());
  await guest.tasks.insert({ title: "from the guest" });
  await guest.store.signIn(account("theirs"), "keep-server");
  await guest.store.caughtUp();
  expect(await hub.holds("theirs")).toEqual(before);
  await guest.store.close();
});

test("keep-local makes the account what the guest was", async () => {
  await lived("mine");
  const guest = new Disk().open(given());
  await guest.tasks.insert({ id: "guest", title: "from the guest" });
  const local = await guest.tasks.query();
  await guest.store.signIn(account("mine"), "keep-local");
  await guest.store.caughtUp();
  expect(await guest.tasks.query()).toEqual(local);
  expect(Object.keys(await hub.holds("mine")).sort()).toEqual(
    local.map(({ id }) => `tasks/${id}`).sort(),
  );
  await guest.store.close();
});

test("keep-local of another tab of the guest, or once more, takes nothing away", async () => {
  const user = account("twice");
  const disk = new Disk();
  const tabs = [disk, disk].map((one) => one.open({ serverUrl: hub.url, around: disk.tabs }));
  const [first, second] = tabs as [Opened, Opened];
  await first.tasks.insert({ id: "mine", title: "a guest's" });
  await first.store.signIn(user, "keep-local");
  // It is still the guest's, who is an empty one now.
  await second.store.signIn(user, "keep-local");
  await second.store.caughtUp();
  expect(Object.keys(await hub.holds("twice"))).toEqual(["tasks/mine"]);
  // Signed out, it is another guest who may replace it.
  await first.store.signOut({ unsynced: "keep" });
  await first.tasks.insert({ id: "other", title: "of the next guest" });
  await first.store.signIn(user, "keep-local");
  await first.store.caughtUp();
  expect(Object.keys(await hub.holds("twice"))).toEqual(["tasks/other"]);
  for (const { store } of tabs) await store.close();
});

type Opened = ReturnType<Disk["open"]>;

test("keep-local leaves a record of both what the guest held of it, and no more", async () => {
  const other = new Disk().open({ ...given(), auth: account("fields") });
  await other.store.caughtUp();
  await other.tasks.insert({ id: "k", title: "theirs", done: true, n: 1 });
  await other.tasks.update("welcome", { title: "Tried" });
  await other.store.caughtUp();
  const guest = new Disk().open(given());
  await guest.tasks.insert({ id: "k", title: "the guest's", done: false });
  await guest.store.signIn(account("fields"), "keep-local");
  for (const { store } of [guest, other]) await store.caughtUp();
  await other.store.caughtUp();
  const held = await hub.holds("fields");
  expect(held).toEqual({
    "tasks/k": { title: "the guest's", done: false },
    "tasks/welcome": { title: "Try me" },
    "tasks/second": { title: "Delete me" },
  });
  expect(await guest.tasks.count()).toBe(3);
  for (const { store } of [guest, other]) await store.close();
});

test("what a guest wrote says after keep-local that it was applied, however long that may take", async () => {
  const { store, tasks } = new Disk().open(given());
  const write = await tasks.insert({ id: "k", title: "the guest's", done: false });
  const synced = write.synced();
  // No timer holds so many milliseconds.
  await store.signIn(account("followed"), "keep-local", { within: Infinity });
  expect(await synced).toBe("applied");
  expect(await write.synced()).toBe("applied");
  await store.close();
});

test.each([false, true])(
  "what keep-local makes of an account is not sent before syncing begins, when it was stopped: %s",
  async (wasStopped) => {
    const user = `unsent-${wasStopped}`;
    await lived(user);
    const held = await hub.holds(user);
    const disk = new Disk();
    let pushes = 0;
    class Counted extends NodeSocket {
      override send(...told: unknown[]) {
        if (String(told[0]).includes('"t":"push"')) pushes++;
        super.send(...(told as [string]));
      }
    }
    const around = { WebSocket: Counted as unknown as typeof WebSocket };
    // The account has something unsent of its own here.
    const before = disk.open({ ...given(), auth: account(user), autoSync: false });
    await before.tasks.insert({ id: "unsent", title: "unsent" });
    await before.store.close();
    const guest = disk.open({ ...given(), autoSync: wasStopped, around });
    await guest.tasks.insert({ id: "guest", title: "from the guest" });
    const local = await guest.tasks.query();
    if (wasStopped) guest.store.stopSync();
    await guest.store.signIn(account(user), "keep-local");
    expect(await guest.tasks.query()).toEqual(local);
    expect([pushes, guest.store.syncStatus]).toEqual([0, "offline"]);
    expect(await hub.holds(user)).toEqual(held);
    guest.store.startSync();
    await guest.store.caughtUp();
    expect(pushes).toBeGreaterThan(0);
    expect(Object.keys(await hub.holds(user)).sort()).toEqual(
      local.map(({ id }) => `tasks/${id}`).sort(),
    );
    await guest.store.close();
  },
);

test("keep-local without a hub leaves the guest as it was, who works on all the while", async () => {
  const unreached = { serverUrl: "http://127.0.0.1:1", seed };
  const auth = { account: "nobody", token: () => "x.y.z" };
  const disk = new Disk();
  const guest = disk.open(unreached);
  await guest.tasks.insert({ id: "before", title: "by the guest" });
  const signIn = guest.store.signIn(auth, "keep-local", { within: 300 });
  void signIn.catch(() => {});
  await guest.tasks.insert({ id: "while", title: "by the guest" });
  expect(await guest.tasks.get("before")).toBeDefined();
  await guest.store.signOut({ unsynced: "discard" });
  await expect(signIn).rejects.toMatchObject({ code: "unreachable" });
  expect(guest.store.account).toBeNull();
  expect(await guest.tasks.count()).toBe(4);
  // Closing ends it as well.
  const ended = guest.store.signIn(auth, "keep-local");
  void ended.catch(() => {});
  await guest.tasks.count();
  await guest.store.close();
  await expect(ended).rejects.toMatchObject({ code: "stopped" });

  const refused = disk.open({ ...given() });
  const none = refused.store.signIn({ ...auth, token: () => null }, "keep-local", {
    within: 2_000,
  });
  await expect(none).rejects.toMatchObject({ code: "token_missing" });
  await refused.store.close();
});

test("signing out with unsent writes sends, keeps or discards them, as it is told", async () => {
  const disk = new Disk();
  const open = (user: string) =>
    disk.open({ serverUrl: hub.url, auth: account(user), autoSync: false });
  for (const unsynced of ["push", "keep", "discard"] as const) {
    const { store, tasks } = open(unsynced);
    await tasks.insert({ id: "k", title: unsynced });
    await store.signOut({ unsynced });
    expect(store.account).toBeNull();
    expect(await tasks.count()).toBe(0);
    await store.close();
    const again = open(unsynced);
    expect(await again.tasks.count()).toBe(unsynced === "keep" ? 1 : 0);
    await again.store.close();
  }
  expect(await hub.holds("push")).toEqual({ "tasks/k": { title: "push" } });
  expect(await hub.holds("discard")).toEqual({});
});

// Whoever waits for the outbox to be empty counts it. One of these is the last look before the end.
test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "what another tab writes during a sign-out is kept: when the outbox has been counted %i times",
  async (at) => {
    const auth = account(`left-${at}`);
    const disk = new Disk();
    const tab = disk.open({ serverUrl: hub.url, auth });
    const other = disk.open({ serverUrl: hub.url, auth, autoSync: false });
    await Promise.all([tab.store.caughtUp(), other.store.ready()]);
    await tab.tasks.insert({ id: "first", title: "by this tab" });
    const write = async () => {
      try {
        await other.tasks.insert({ id: "k", title: "by another tab" });
      } catch (error) {
        return (error as { code: string }).code;
      }
      // There is no channel between these tabs: the one that syncs looks again.
      void tab.store.caughtUp().catch(() => {});
      return "written";
    };
    let writing: Promise<string> | undefined;
    let counts = 0;
    const { count } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.count = function (...asked) {
      const counted = count.apply(this, asked);
      const isLook = this.name === "outbox" && tab.store.pendingChanges === 0;
      // In a task of its own: another tab is in no transaction of this one.
      if (isLook && ++counts === at)
        writing = new Promise((resolve) => setImmediate(() => resolve(write())));
      return counted;
    };
    const signedOut = tab.store.signOut({ unsynced: "push" });
    await signedOut.finally(() => (IDBObjectStore.prototype.count = count));
    const code = await (writing ?? write());
    await reaches(other.store, (status) => status.account === null);
    const kept = [...Object.keys(await hub.holds(auth.account)), ...(await ids(other.tasks))];
    if (code === "written") expect(kept.join()).toMatch(/\bk\b/);
    else expect(code).toMatch(/signed_out|stopped/);

    // Both are the same guest's now, and the account is found again at the hub, with no loss told.
    await other.tasks.insert({ id: "guest", title: "as a guest" });
    expect(await ids(tab.tasks)).toContain("guest");
    await tab.store.signIn(auth);
    await tab.store.caughtUp();
    expect(await ids(tab.tasks)).toEqual(expect.arrayContaining(["first", "guest"]));
    expect(tab.store.status.error).toBeNull();
    for (const { store } of [tab, other]) await store.close();
  },
);

test("signing out leaves no refused write behind unless it is told to", async () => {
  const small = await Hub.start({ HUB__LIMITS__RECORD_BYTES_MAX: "1024" });
  const auth = { account: "refused", token: () => small.token("refused") };
  const { store, tasks } = new Disk().open({ serverUrl: small.url, auth });
  await store.caughtUp();
  await tasks.insert({ id: "k", title: "x".repeat(2_000) });
  const out = store.signOut({ unsynced: "push" });
  await expect(out).rejects.toMatchObject({ code: "unsynced" });
  expect(await store.rejected.list()).toHaveLength(1);
  await store.signOut({ unsynced: "discard" });
  expect(store.account).toBeNull();
  await store.close();
  await small.stop();
});

test("signing out does not lose what cannot be sent", async () => {
  const auth = account("unsent");
  const { store, tasks } = new Disk().open({ serverUrl: "http://127.0.0.1:1", auth });
  await tasks.insert({ id: "k", title: "unsent" });
  const out = store.signOut({ unsynced: "push", within: 1 });
  await expect(out).rejects.toMatchObject({ code: "unsynced" });
  expect(store.account).toBe("unsent");
  expect(await tasks.count()).toBe(1);
  await store.close();
});
