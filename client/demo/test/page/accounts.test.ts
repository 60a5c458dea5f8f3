/** Signing in against a real hub, and what an account's page does: nothing is lost that was not asked for. */
import { expect, test, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import {
  accountWith,
  guest,
  hub,
  newUser,
  open,
  signIn,
  signedIn,
  signsIn,
  synced,
} from "./accounts";
import {
  add,
  alerts,
  appears,
  button,
  click,
  dialog,
  edit,
  enter,
  field,
  heading,
  shows,
  stored,
  submit,
  textOf,
  titles,
  toast,
  type,
} from "./page";

test("a guest's tasks are added to the account", async () => {
  const user = await accountWith("At the hub");
  await guest();
  await signsIn(user);
  await shows(() => expect([...titles()].sort()).toEqual(["At the hub", "Written as a guest"]));
});

test("a guest's tasks are forgotten if that is chosen, and said again", async () => {
  const user = await accountWith("At the hub");
  const { todo } = await guest();
  await signIn(user, "Forget them");
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
  await signIn(user, "Forget them");
  await shows(() =>
    expect(alerts()[0]).toContain("1 project, 1 label, 1 reminder that you wrote or changed on"),
  );
  expect(todo.store.account).toBeNull();
});

test("the account's tasks give way to the guest's if that is chosen, and said again", async () => {
  const user = await accountWith("At the hub");
  const { todo } = await guest();
  await signIn(user, "Keep only them: replace what my account holds");
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
  await signIn(newUser());
  await shows(() => expect(alerts()[0]).toContain("This hub has no demo sign-in."));
  expect(alerts()[0]).not.toContain("route");
  expect(todo.store.account).toBeNull();
});

test("without a network nobody is signed in, and that is said", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await guest();
  await signIn(newUser());
  await shows(() => expect(alerts()).toEqual(["Signing in needs a network, this once."]));
});

test("sheets close, and what was half typed goes, when another tab signs in and out", async () => {
  const user = newUser();
  const { todo } = await guest();
  const isClosed = () => expect(document.querySelector("dialog[open]")).toBeNull();
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  const KEY = "syncline-todo-account";
  localStorage.setItem(KEY, user);
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

/** As another tab that signs in (or out, with `null`) tells this one. */
function tell(oldValue: string | null, newValue: string | null): void {
  const key = "syncline-todo-account";
  if (newValue === null) localStorage.removeItem(key);
  else localStorage.setItem(key, newValue);
  dispatchEvent(new StorageEvent("storage", { key, oldValue, newValue }));
}

test("a sign-out in another tab counts here while its sign-in is still under way", async () => {
  const user = newUser();
  const { todo } = await open();
  const signIn = vi.spyOn(todo.store, "signIn");
  tell(null, user);
  await until(() => signIn.mock.calls.length > 0);
  tell(user, null);
  await until(() => signIn.mock.settledResults.every(({ type }) => type !== "incomplete"));
  await shows(() => expect(todo.store.account).toBeNull());
  await add("Later");
  expect(todo.store.account).toBeNull();
  expect(localStorage.getItem("syncline-todo-account")).toBeNull();
});

test("a tab follows another that signs out and in as somebody else", async () => {
  const { todo, user } = await signedIn();
  const other = newUser();
  tell(user, null);
  tell(null, other);
  await shows(() => expect(textOf(document.querySelector("header"))).toContain(other));
  expect(todo.store.account).toBe(other);
  expect(localStorage.getItem("syncline-todo-account")).toBe(other);
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

test("a tab that is not told yet of a sign-out in another does not have it forgotten", async () => {
  const { todo } = await signedIn();
  // As the other tab does, whose word comes later.
  localStorage.removeItem("syncline-todo-account");
  await add("Written meanwhile");
  await todo.store.caughtUp();
  await synced();
  expect(localStorage.getItem("syncline-todo-account")).toBeNull();
});

test("a refused change is tried again when that is asked for, and given up", async () => {
  const { todo } = await signedIn();
  await add("Buy milk");
  await edit("Buy milk");
  // More than a record may have.
  const notes = "long ".repeat(60_000);
  await enter("Notes", notes);
  await click("Close");
  await shows(() => expect(alerts()[0]).toContain("1 change was refused."));
  const [first] = await todo.store.rejected.list();
  await click("Look at it");
  await shows(() => expect(textOf(dialog("Refused changes"))).toContain("Set notes of “Buy milk”"));
  expect(field("All of notes").value).toBe(notes);
  const copied = vi.fn(async () => {});
  Object.defineProperty(navigator, "clipboard", {
    value: { writeText: copied },
    configurable: true,
  });
  await click("Copy");
  expect(copied).toHaveBeenCalledExactlyOnceWith(notes);
  await click(/^Try again: Set notes of “Buy milk” to “long/);
  // It was sent again, and refused again.
  await stored(todo.store.rejected.live(), (all) => {
    expect(all).toHaveLength(1);
    expect(all[0]!.id).not.toBe(first!.id);
  });
  await click(/^Discard: Set notes of “Buy milk” to “long/);
  await stored(todo.store.rejected.live(), (all) => expect(all).toEqual([]));
});
