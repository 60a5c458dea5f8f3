/** Signing out against a real hub: nothing is lost that was not asked for, and nothing is another's. */
import { IDBKeyRange } from "fake-indexeddb";
import { expect, test, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import {
  headerSays,
  isSignedOut,
  newUser,
  offline,
  open,
  signIn,
  signOut,
  signedIn,
  signsIn,
  signsOut,
  synced,
} from "./accounts";
import {
  add,
  alerts,
  appears,
  button,
  check,
  click,
  Disk,
  field,
  heading,
  holdToast,
  press,
  shows,
  submit,
  titles,
  toast,
  type,
} from "./page";

test("what was typed in the sheet of lists, which is closed, is nobody's after a sign-out", async () => {
  const { todo } = await signedIn();
  // As its field did, which is another than the one beside the tasks.
  sessionStorage.setItem("syncline-todo-new-project", "Another secret");
  await todo.store.signOut({ unsynced: "push" });
  await shows(() => expect(sessionStorage.getItem("syncline-todo-new-project") ?? "").toBe(""));
});

test("signing out sends what is unsent", async () => {
  const { user } = await signedIn();
  await add("Written last");
  await signsOut(user);
  await shows(() => expect(titles()).toEqual([]));
  await signIn(user);
  await shows(() => expect(titles()).toEqual(["Written last"]));
});

test("signing out without a network asks what to do, and keeps what is to be kept", async () => {
  const { user, todo } = await signedIn();
  await offline(async () => {
    await headerSays("Offline");
    await add("Written in a tunnel");
    await signOut(user);
    await shows(() => expect(alerts()[0]).toContain("has not been sent"));
    expect(todo.store.account).toBe(user);
    await click("Keep it, sign out");
    await isSignedOut();
    await shows(() => expect(titles()).toEqual([]));
  });
  await signIn(user);
  await shows(() => expect(titles()).toEqual(["Written in a tunnel"]));
});

test("a sign-out in another tab that keeps what is unsent is one here, too", async () => {
  const { user, todo } = await signedIn();
  await offline(async () => {
    await headerSays("Offline");
    await add("Written in a tunnel");
    const told = { key: "syncline-todo-account", oldValue: user, newValue: null };
    dispatchEvent(new StorageEvent("storage", told));
    await appears(() => button("Sign in"));
    await shows(() => expect(titles()).toEqual([]));
    expect(todo.store.account).toBeNull();
  });
  await signsIn(user);
  await shows(() => expect(titles()).toEqual(["Written in a tunnel"]));
});

test("who closes the sheet while a sign-out is under way is told that it failed", async () => {
  const { user, todo } = await signedIn();
  await offline(async () => {
    await add("Written in a tunnel");
    await signOut(user);
    await click("Close");
    await shows(() => expect(toast()).toContain("You are still signed in"));
    expect(todo.store.account).toBe(user);
  });
});

test("what is thrown away when signing out is gone", async () => {
  const { user, todo } = await signedIn();
  await offline(async () => {
    await add("Written in a tunnel");
    await signOut(user);
    await click("Throw it away");
    await isSignedOut();
  });
  await signIn(user);
  await synced();
  await todo.store.caughtUp();
  expect(titles()).toEqual([]);
});

/** A draft of notes, as a page that ended left it. */
function left(account: string | null): void {
  const draft = { account, task: "gone", field: "notes", before: [], text: "Two litres" };
  localStorage.setItem("syncline-todo-draft notes gone", JSON.stringify(draft));
}

/** Whose drafts are kept. */
const whoseDrafts = () =>
  Object.entries(localStorage)
    .filter(([key]) => key.startsWith("syncline-todo-draft"))
    .map(([, kept]) => (JSON.parse(kept as string) as { account: string | null }).account);

test("what an account typed and is not stored is kept with what is unsent, or goes with it", async () => {
  const { user } = await signedIn();
  left(user);
  await offline(async () => {
    await headerSays("Offline");
    await add("Written in a tunnel");
    await signOut(user);
    await click("Keep it, sign out");
    await isSignedOut();
  });
  expect(whoseDrafts()).toEqual([user]);
  await signsIn(user);
  await synced();
  await signsOut(user);
  expect(whoseDrafts()).toEqual([]);
});

test.each([
  ["goes along into the account", undefined, "Two litres"],
  ["is forgotten if that is chosen", "Forget them", null],
])("what a guest typed and is not stored %s", async (_, choice, text) => {
  const user = newUser();
  left(null);
  await open();
  await add("Buy milk");
  await appears(() => field(/^You had typed this as notes/));
  await signIn(user, choice);
  if (choice) await click("Delete what is here");
  await shows(() => expect(toast()).toBe(`Signed in as ${user}`));
  expect(whoseDrafts()).toEqual(text === null ? [] : [user]);
  const shown = document.querySelector<HTMLTextAreaElement>(".unstored textarea, .unstored input");
  expect(shown?.value ?? null).toBe(text);
});

test("what was done before signing out is not taken back in another's tasks", async () => {
  const { user } = await signedIn();
  await add("Buy milk");
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("Done: “Buy milk”"));
  await signsOut(user);
  (document.activeElement as HTMLElement).blur();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "u", bubbles: true }));
  await shows(() => expect(toast()).toBe("There is nothing to take back."));
});

test("Back leads to nothing of a former account, and nor does a page of it that is loaded again", async () => {
  const { user, disk, end } = await signedIn();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await add("My secret");
  await click(/^Today/);
  await type("Search tasks", "secret");
  await shows(() => heading("Found: secret"));
  const [at, step]: [string, unknown] = [location.hash.slice(1), history.state];
  await signsOut(user);
  holdToast();
  await until(() => location.hash === "#/all");
  for (const place of ["Today", "All tasks"]) {
    history.back();
    await shows(() => heading(place));
    expect(field("Search tasks").value).toBe("");
    await until(() => !/project|search/.test(location.hash));
  }
  expect(toast()).toBe("Signed out");
  await end();
  // As the browser restores a tab that was closed before, without the steps before it.
  vi.spyOn(history, "back").mockImplementation(() => {});
  await open({ disk, at, step });
  await shows(() => heading("Today"));
  expect(field("Search tasks").value).toBe("");
  await until(() => location.hash === "#/today");
});

test("what an account's tab held when it was closed is nobody's after a sign-out in another", async () => {
  const { disk, end } = await signedIn();
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
  await signIn(user);
  await synced();
  await signsOut(user);
  await end();
  for (const [key, value] of Object.entries(closed)) sessionStorage.setItem(key, value as string);
  vi.spyOn(history, "back").mockImplementation(() => {});
  await open({ disk, at, step });
  await shows(() => heading("All tasks"));
  expect(field("New task").value).toBe("");
  expect(field("Search tasks").value).toBe("");
});

test("a sign-out that its page did not see the end of ends when the next one starts", async () => {
  const { user, disk, end, todo } = await signedIn();
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
  await isSignedOut();
  expect(localStorage.getItem("syncline-todo-account")).toBeNull();
  expect(localStorage.getItem("syncline-todo-leaving")).toBeNull();
  expect(again.todo.store.account).toBeNull();
  await shows(() => expect(titles()).toEqual([]));
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
  await headerSays("Not syncing");
  await page.catch(() => {});
  isOpen = true;
  await synced();
  await add("Buy milk");
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("Done: “Buy milk”"));
  await signsOut(user);
  press("u");
  await shows(() => expect(toast()).toBe("There is nothing to take back."));
});
