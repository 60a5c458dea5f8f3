/** What a guest asked for and told to be forgotten is done in no account, and a guest with nothing takes nothing away. */
import { expect, test, vi } from "vitest";
import type { Todo } from "../../src/todo/open";
import { accountWith, guest, newUser, open, signIn, signedIn, signsIn } from "./accounts";
import { add, check, click, press, shows, submit, titles, toast, type } from "./page";

/** Has the next write wait until it is let go. */
function holdNext({ store }: Todo): () => void {
  let letGo = () => {};
  const gone = new Promise<void>((resolve) => (letGo = resolve));
  const write = store.write.bind(store);
  vi.spyOn(store, "write").mockImplementationOnce(async (...asked) => {
    await gone;
    return write(...asked);
  });
  return letGo;
}

/** A guest's page with something that waits for its turn to be done. */
async function waiting() {
  const page = await guest();
  const letGo = holdNext(page.todo);
  await check("Done: Written as a guest");
  await submit("New task", "My secret");
  return { ...page, letGo };
}

test("what a guest has asked for, and is told to forget, is not done in the account", async () => {
  const user = await accountWith("At the hub");
  const { todo, letGo } = await waiting();
  await signIn(user, "Forget them");
  await click("Delete what is here");
  await shows(() => expect(toast()).toBe(`Signed in as ${user}`));
  await shows(() => expect(titles()).toEqual(["At the hub"]));
  letGo();
  await type("New task", "");
  await add("Afterwards");
  await shows(() => expect(titles()).toEqual(["At the hub", "Afterwards"]));
  await todo.store.caughtUp();
  expect((await todo.tasks.query()).map(({ title }) => title).sort()).toEqual([
    "Afterwards",
    "At the hub",
  ]);
});

test("nor is it in another tab, which is told, while what goes along is done there", async () => {
  for (const isForgotten of [true, false]) {
    const user = newUser();
    const { todo, letGo, end } = await waiting();
    // As another tab does.
    if (isForgotten) localStorage.setItem("syncline-todo-stay", "another");
    const key = "syncline-todo-account";
    localStorage.setItem(key, user);
    dispatchEvent(new StorageEvent("storage", { key, newValue: user }));
    await shows(() => expect(todo.store.account).toBe(user));
    await todo.store.ready();
    letGo();
    await type("New task", "");
    await add("Afterwards");
    const found = (await todo.tasks.query()).map(({ title }) => title);
    expect(found.includes("My secret")).toBe(!isForgotten);
    await end();
    localStorage.clear();
    sessionStorage.clear();
  }
});

test("a sign-in that fails leaves the guest, also one who is to be forgotten, as it was", async () => {
  const user = await accountWith("At the hub");
  const { todo } = await guest();
  const stay = localStorage.getItem("syncline-todo-stay");
  vi.spyOn(todo.store, "signIn").mockRejectedValueOnce(new Error("no room"));
  await signIn(user, "Forget them");
  await click("Delete what is here");
  await shows(() => expect(document.body.textContent).toContain("no room"));
  expect(localStorage.getItem("syncline-todo-stay")).toBe(stay);
  press("Escape");
  expect(todo.store.account).toBeNull();
});

test("a guest who has nothing takes nothing away from the account", async () => {
  const { todo: account, user, end } = await signedIn();
  await account.labels.insert({ id: "label-phone", name: "phone" });
  await account.store.caughtUp();
  await end();
  const { todo } = await open();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await todo.labels.delete("label-phone");
  await type("New task", "Half typed");
  await signsIn(user);
  await todo.store.caughtUp();
  expect(await todo.labels.query()).toEqual([{ id: "label-phone", name: "phone" }]);
});
