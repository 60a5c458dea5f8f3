/** Signing in and out against a real hub: nothing is lost that was not asked for. */
import { IDBKeyRange } from "fake-indexeddb";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Hub } from "../../../sdk/test/hub";
import { Proxy } from "../../../sdk/test/proxy";
import {
  add,
  alerts,
  appears,
  button,
  check,
  click,
  dialog,
  Disk,
  edit,
  enter,
  field,
  heading,
  open as openPage,
  press,
  shows,
  stored,
  submit,
  textOf,
  titles,
  toast,
  type,
  type Page,
} from "./page";

let hub: Hub;
let network: Proxy;
beforeAll(async () => {
  hub = await Hub.start();
  network = await Proxy.to(hub.port);
});
afterAll(async () => {
  await network?.stop();
  await hub?.stop();
});
beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
  const { port } = hub;
  const token = async (_: unknown, { body }: RequestInit) => {
    const { user } = JSON.parse(body as string) as { user: string };
    return new Response(JSON.stringify({ token: await tokenOf(port, user) }));
  };
  vi.stubGlobal("fetch", token);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** As the page asks for it at its own origin, which here is nowhere. */
async function tokenOf(port: number, user: string): Promise<string> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const asked = request({ port, path: "/dev/token", method: "POST" }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve((JSON.parse(text) as { token: string }).token));
    });
    asked.on("error", reject);
    asked.end(JSON.stringify({ user, ttl_s: 3_600 }));
  });
}

let users = 0;
const newUser = () => `user-${++users}`;
const open = (given: Parameters<typeof openPage>[0] = {}) =>
  openPage({ hub: network.url, ...given });
const synced = () =>
  shows(() => expect(textOf(document.querySelector("header"))).toContain("Synced"));

/** An account that holds one task, written on another device. */
async function accountWith(title: string): Promise<string> {
  const user = newUser();
  const page = await open({ account: user });
  await synced();
  await add(title);
  await page.todo.store.caughtUp();
  await page.end();
  return user;
}

async function signInAs(user: string, choice?: string): Promise<void> {
  await click("Sign in");
  await enter("Name", user);
  if (choice) await check(choice);
  await submit("Name", user);
}

/** A guest who wrote a task, and the sheet to sign in. */
async function guest(): Promise<Page> {
  const page = await open();
  await add("Written as a guest");
  return page;
}

test("a guest's tasks are added to the account", async () => {
  const user = await accountWith("At the hub");
  await guest();
  await signInAs(user);
  await shows(() => expect(toast()).toBe(`Signed in as ${user}`));
  await shows(() => expect([...titles()].sort()).toEqual(["At the hub", "Written as a guest"]));
});

test("a guest's tasks are forgotten if that is chosen, and said again", async () => {
  const user = await accountWith("At the hub");
  const { todo } = await guest();
  await signInAs(user, "Forget them");
  await shows(() => expect(alerts()[0]).toContain("1 task that you wrote or changed on"));
  await click("Back");
  await appears(() => button("Sign in"));
  expect(todo.store.account).toBeNull();
  await submit("Name", user);
  await click("Delete what is here");
  await shows(() => expect(toast()).toBe(`Signed in as ${user}`));
  await shows(() => expect(titles()).toEqual(["At the hub"]));
  await todo.store.caughtUp();
  expect(JSON.stringify(await hub.holds(user).catch(() => null))).not.toContain("as a guest");
});

test("a guest without tasks has a choice too, and is told all that goes", async () => {
  const user = await accountWith("At the hub");
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await todo.reminders.insert({ task: "seed-1", at: "2031-01-01T00:00:00.000Z", isSeen: false });
  await signInAs(user, "Forget them");
  await shows(() =>
    expect(alerts()[0]).toContain("1 project, 1 label, 1 reminder that you wrote or changed on"),
  );
  expect(todo.store.account).toBeNull();
});

test("the account's tasks give way to the guest's if that is chosen, and said again", async () => {
  const user = await accountWith("At the hub");
  const { todo } = await guest();
  await signInAs(user, "Keep only them: replace what my account holds");
  await shows(() => expect(alerts()[0]).toContain(`Everything that ${user}’s account holds`));
  expect(todo.store.account).toBeNull();
  await click("Replace what the account holds");
  await shows(() => expect(toast()).toBe(`Signed in as ${user}`));
  await shows(() => expect(titles()).toEqual(["Written as a guest"]));
  await todo.store.caughtUp();
  expect((await todo.tasks.query()).map(({ title }) => title)).toEqual(["Written as a guest"]);
});

test("a hub without a demo sign-in is told in plain words", async () => {
  vi.stubGlobal("fetch", async () =>
    Response.json({ code: "not_found", message: "no such route" }, { status: 404 }),
  );
  const { todo } = await guest();
  await signInAs(newUser());
  await shows(() => expect(alerts()[0]).toContain("This hub has no demo sign-in."));
  expect(alerts()[0]).not.toContain("route");
  expect(todo.store.account).toBeNull();
});

test("without a network nobody is signed in, and that is said", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await guest();
  await signInAs(newUser());
  await shows(() => expect(alerts()).toEqual(["Signing in needs a network, this once."]));
});

test("sheets close, and what was half typed goes, when another tab signs in and out", async () => {
  const user = newUser();
  const { todo } = await guest();
  const isClosed = () => expect(document.querySelector("dialog[open]")).toBeNull();
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  const KEY = "syncline-todo-account";
  dispatchEvent(new StorageEvent("storage", { key: KEY, newValue: user }));
  await shows(isClosed);
  expect(todo.store.account).toBe(user);
  await synced();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await type("New task", "My secret");
  await type("New project", "Another secret");
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  await todo.store.signOut({ unsynced: "push" });
  await shows(isClosed);
  await shows(() => heading("All tasks"));
  expect([field("New task").value, field("New project").value]).toEqual(["", ""]);
  expect(sessionStorage.getItem("syncline-todo-new")).toBe("");
});

test("what was typed in the sheet of lists, which is closed, is nobody's after a sign-out", async () => {
  const user = newUser();
  const { todo } = await open({ account: user });
  await synced();
  // As its field did, which is another than the one beside the tasks.
  sessionStorage.setItem("syncline-todo-new-project", "Another secret");
  await todo.store.signOut({ unsynced: "push" });
  await shows(() => expect(sessionStorage.getItem("syncline-todo-new-project") ?? "").toBe(""));
});

async function signOut(user: string): Promise<void> {
  await click(`Account ${user}`);
  await click("Sign out");
}

test("signing out sends what is unsent", async () => {
  const user = newUser();
  const { disk } = await open({ account: user });
  await synced();
  await add("Written last");
  await signOut(user);
  await shows(() => expect(toast()).toBe("Signed out"));
  await shows(() => expect(titles()).toEqual([]));
  await signInAs(user);
  await shows(() => expect(titles()).toEqual(["Written last"]));
  expect(disk).toBeDefined();
});

test("signing out without a network asks what to do, and keeps what is to be kept", async () => {
  const user = newUser();
  const { todo } = await open({ account: user });
  await synced();
  network.goDown();
  try {
    await shows(() => expect(textOf(document.querySelector("header"))).toContain("Offline"));
    await add("Written in a tunnel");
    await signOut(user);
    await shows(() => expect(alerts()[0]).toContain("has not been sent"));
    expect(todo.store.account).toBe(user);
    await click("Keep it, sign out");
    await shows(() => expect(toast()).toBe("Signed out"));
    await shows(() => expect(titles()).toEqual([]));
  } finally {
    network.comeUp();
  }
  await signInAs(user);
  await shows(() => expect(titles()).toEqual(["Written in a tunnel"]));
});

test("who closes the sheet while a sign-out is under way is told that it failed", async () => {
  const user = newUser();
  const { todo } = await open({ account: user });
  await synced();
  network.goDown();
  try {
    await add("Written in a tunnel");
    await signOut(user);
    await click("Close");
    await shows(() => expect(toast()).toContain("You are still signed in"));
    expect(todo.store.account).toBe(user);
  } finally {
    network.comeUp();
  }
});

test("what is thrown away when signing out is gone", async () => {
  const user = newUser();
  const { todo } = await open({ account: user });
  await synced();
  network.goDown();
  try {
    await add("Written in a tunnel");
    await signOut(user);
    await click("Throw it away");
    await shows(() => expect(toast()).toBe("Signed out"));
  } finally {
    network.comeUp();
  }
  await signInAs(user);
  await synced();
  await todo.store.caughtUp();
  expect(titles()).toEqual([]);
});

test("what was done before signing out is not taken back in another's tasks", async () => {
  const user = newUser();
  await open({ account: user });
  await synced();
  await add("Buy milk");
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("Done: “Buy milk”"));
  await signOut(user);
  await shows(() => expect(toast()).toBe("Signed out"));
  (document.activeElement as HTMLElement).blur();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "u", bubbles: true }));
  await shows(() => expect(toast()).toBe("There is nothing to take back."));
});

test("Back leads to nothing of a former account, and nor does a page of it that is loaded again", async () => {
  const user = newUser();
  const { disk, end } = await open({ account: user });
  await synced();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await add("My secret");
  await click(/^Today/);
  await type("Search tasks", "secret");
  await shows(() => heading("Found: secret"));
  const [at, step]: [string, unknown] = [location.hash.slice(1), history.state];
  await signOut(user);
  await shows(() => expect(toast()).toBe("Signed out"));
  await vi.waitUntil(() => location.hash === "#/all");
  for (const place of ["Today", "All tasks"]) {
    history.back();
    await shows(() => heading(place));
    expect(field("Search tasks").value).toBe("");
    await vi.waitUntil(() => !/project|search/.test(location.hash));
  }
  expect(toast()).toBe("Signed out");
  await end();
  // As the browser restores a tab that was closed before, without the steps before it.
  vi.spyOn(history, "back").mockImplementation(() => {});
  await open({ disk, at, step });
  await shows(() => heading("Today"));
  expect(field("Search tasks").value).toBe("");
  await vi.waitUntil(() => location.hash === "#/today");
});

test("what an account's tab held when it was closed is nobody's after a sign-out in another", async () => {
  const user = newUser();
  const { disk, end } = await open({ account: user });
  await synced();
  await type("New task", "My secret");
  await type("Search tasks", "secret");
  await shows(() => heading("Found: secret"));
  const [at, step]: [string, unknown] = [location.hash.slice(1), history.state];
  await end();
  vi.spyOn(history, "back").mockImplementation(() => {});
  await open({ disk, at, step });
  await shows(() => heading("All tasks"));
  expect(field("New task").value).toBe("");
  expect(field("Search tasks").value).toBe("");
});

test("what a guest's tab held when it was closed is nobody's after a sign-in and a sign-out in another", async () => {
  const user = newUser();
  const guests = await open();
  await type("New task", "My secret");
  await type("Search tasks", "secret");
  await shows(() => heading("Found: secret"));
  const [at, step]: [string, unknown] = [location.hash.slice(1), history.state];
  await guests.end();
  const closed = { ...sessionStorage };
  sessionStorage.clear();
  const { disk } = guests;
  const { end } = await open({ disk });
  await signInAs(user);
  await synced();
  await signOut(user);
  await shows(() => expect(toast()).toBe("Signed out"));
  await end();
  for (const [key, value] of Object.entries(closed)) sessionStorage.setItem(key, value as string);
  vi.spyOn(history, "back").mockImplementation(() => {});
  await open({ disk, at, step });
  await shows(() => heading("All tasks"));
  expect(field("New task").value).toBe("");
  expect(field("Search tasks").value).toBe("");
});

test("what a guest typed in a tab that is closed goes along into the account", async () => {
  const user = newUser();
  const { disk, end } = await open();
  await type("New task", "Not added yet");
  await end();
  await open({ disk, account: user });
  await synced();
  expect(field("New task").value).toBe("Not added yet");
});

test("a sign-out that its page did not see the end of ends when the next one starts", async () => {
  const user = newUser();
  const { disk, end, todo } = await open({ account: user });
  await synced();
  await add("My secret");
  const signOutOfStore = todo.store.signOut.bind(todo.store);
  const left = new Promise<void>((resolve) => {
    vi.spyOn(todo.store, "signOut").mockImplementation(async (how) => {
      await signOutOfStore(how);
      resolve();
      await new Promise(() => {});
    });
  });
  localStorage.setItem("syncline-todo-account", user);
  await signOut(user);
  await left;
  await end();
  const again = await open({ disk, account: localStorage.getItem("syncline-todo-account") });
  await shows(() => expect(toast()).toBe("Signed out"));
  expect(localStorage.getItem("syncline-todo-account")).toBeNull();
  expect(localStorage.getItem("syncline-todo-leaving")).toBeNull();
  expect(again.todo.store.account).toBeNull();
  await shows(() => expect(titles()).toEqual([]));
});

test("a tab that is not told yet of a sign-out in another does not have it forgotten", async () => {
  const user = newUser();
  const { todo } = await open({ account: user });
  await synced();
  // As the other tab does, whose word comes later.
  localStorage.removeItem("syncline-todo-account");
  await add("Written meanwhile");
  await todo.store.caughtUp();
  await synced();
  expect(localStorage.getItem("syncline-todo-account")).toBeNull();
});

test("an account whose database opened late is left with all that was done in it", async () => {
  const user = newUser();
  const disk = new Disk();
  let isOpen = false;
  const indexedDB = Object.create(disk.indexedDB) as IDBFactory;
  indexedDB.open = (...asked) => {
    if (!isOpen) throw new DOMException("no room", "QuotaExceededError");
    return disk.indexedDB.open(...asked);
  };
  const around = { engine: { indexedDB, IDBKeyRange } };
  const page = open({ disk, account: user, around });
  await shows(() => expect(textOf(document.querySelector("header"))).toContain("Not syncing"));
  await page.catch(() => {});
  isOpen = true;
  await synced();
  await add("Buy milk");
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("Done: “Buy milk”"));
  await signOut(user);
  await shows(() => expect(toast()).toBe("Signed out"));
  press("u");
  await shows(() => expect(toast()).toBe("There is nothing to take back."));
});

test("a refused change is tried again when that is asked for, and given up", async () => {
  const user = newUser();
  const { todo } = await open({ account: user });
  await synced();
  await add("Buy milk");
  await edit("Buy milk");
  // More than a record may have.
  await enter("Notes", "long ".repeat(60_000));
  await click("Close");
  await shows(() => expect(alerts()[0]).toContain("1 change was refused."));
  const [first] = await todo.store.rejected.list();
  await click("Look at it");
  await shows(() => expect(textOf(dialog("Refused changes"))).toContain("Set notes of “Buy milk”"));
  await click(/^Try again: Set notes of “Buy milk” to “long/);
  // It was sent again, and refused again.
  await stored(todo.store.rejected.live(), (all) => {
    expect(all).toHaveLength(1);
    expect(all[0]!.id).not.toBe(first!.id);
  });
  await click(/^Discard: Set notes of “Buy milk” to “long/);
  await stored(todo.store.rejected.live(), (all) => expect(all).toEqual([]));
});
