/** What is still being done when another tab signs in or out is done as whoever asked for it, or not at all. */
import { expect, test, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import type { Todo } from "../../src/todo/open";
import {
  add,
  appears,
  button,
  click,
  edit,
  enter,
  field,
  heading,
  row,
  shows,
  submit,
  textOf,
  titles,
  type,
} from "./page";
import { isSomebody, opened, tell } from "./tabs";

/** Has the next call of one of `of`'s functions wait. Returns what lets it go on, and whether it was called. */
function hold<K extends string, T extends Record<K, (...asked: never[]) => Promise<unknown>>>(
  of: T,
  name: K,
) {
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  const call = of[name].bind(of) as (...asked: unknown[]) => Promise<unknown>;
  let isCalled = false;
  vi.spyOn(of, name as never).mockImplementationOnce((async (...asked: unknown[]) => {
    isCalled = true;
    await held;
    return call(...asked);
  }) as never);
  return { go, isHeld: () => until(() => isCalled) };
}

/** All that a store holds, once what the page had to do is done. */
async function all(todo: Todo): Promise<string[]> {
  await add("Theirs");
  const [tasks, projects, labels] = await Promise.all([
    todo.tasks.query(),
    todo.projects.query(),
    todo.labels.query(),
  ]);
  return [
    ...tasks.flatMap(({ title, notes }) => [title, ...(notes ? [notes] : [])]),
    ...projects.map(({ name }) => name),
    ...labels.map(({ name }) => name),
  ];
}

/** How long after the last letter a text is saved, in milliseconds. */
const SAVE_MS = 400;

const HELD = [
  ["before it is written", "write"],
  ["after what it goes by is read", "query"],
] as const;

test.each(HELD.flatMap((held) => [null, "bob"].map((next) => [...held, next] as const)))(
  "a task that an account adds is not another's: held %s (%s), then %s",
  async (_, name, next) => {
    const { todo } = await opened("ada");
    const { go, isHeld } = name === "write" ? hold(todo.store, name) : hold(todo.tasks, name);
    await submit("New task", "My secret #hidden");
    await isHeld();
    // What comes after it waits for its turn.
    await submit("New project", "Secret garden");
    tell(next);
    await isSomebody(todo, next);
    go();
    expect(await all(todo)).toEqual(["Theirs"]);
    await shows(() => expect(titles()).toEqual(["Theirs"]));
    expect(document.body.textContent).not.toMatch(/secret/i);
  },
);

test("nothing that waits in the editor of an account is written to another's task", async () => {
  const { todo } = await opened("ada");
  await add("Buy milk");
  const { id } = (await todo.tasks.query())[0]!;
  const { go, isHeld } = hold(todo.store, "write");
  await click("Move: Buy milk");
  row("Buy milk").querySelector<HTMLInputElement>("input")!.click();
  await isHeld();
  await edit("Buy milk");
  await enter("Notes", "My secret");
  tell("bob");
  await isSomebody(todo, "bob");
  await todo.tasks.insert({ id, title: "Of the same id", done: false, order: 1 });
  go();
  expect((await all(todo)).sort()).toEqual(["Of the same id", "Theirs"]);
  expect((await todo.tasks.get(id))?.done).toBe(false);
});

test.each([null, "ada"])(
  "what is typed in an account whose editor was opened by %s is no guest's after a sign-out",
  async (opener) => {
    const { todo } = await opened(opener);
    await add("Buy milk");
    await edit("Buy milk");
    tell("ada");
    await isSomebody(todo, "ada");
    await appears(() => field("Notes"));
    await shows(() => expect(textOf(document.querySelector("header"))).toContain("ada"));
    // Half typed when the editor goes: no timer saves it before.
    const { setTimeout } = globalThis;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((call: () => void, ms?: number) =>
      ms === SAVE_MS ? 0 : setTimeout(call, ms)) as never);
    await type("New label", "hidden");
    await type("Notes", "My secret");
    tell(null);
    await isSomebody(todo, null);
    await shows(() => expect(document.querySelector("dialog[open]")).toBeNull());
    expect(await all(todo)).toEqual(["Theirs"]);
    expect(JSON.stringify({ ...localStorage })).not.toContain("My secret");
    expect(document.body.textContent).not.toContain("My secret");
  },
);

test("what a guest was adding goes along into the account", async () => {
  const { todo } = await opened(null);
  const { go, isHeld } = hold(todo.tasks, "query");
  await submit("New task", "Buy milk");
  await isHeld();
  await submit("New project", "Garden");
  tell("ada");
  await isSomebody(todo, "ada");
  go();
  await appears(() => button(/^Garden/));
  // The project is shown when it is there, and with it what is in it.
  await shows(() => heading("Garden"));
  await click(/^All tasks/);
  await shows(() => expect(titles()).toContain("Buy milk"));
});

test("what a guest was adding is not that of the guest who comes after the account", async () => {
  const { todo } = await opened(null);
  const { go, isHeld } = hold(todo.tasks, "query");
  await submit("New task", "My secret");
  await isHeld();
  tell("ada");
  await isSomebody(todo, "ada");
  await appears(() => button("Account ada"));
  tell(null);
  await isSomebody(todo, null);
  await appears(() => button("Sign in"));
  go();
  expect(await all(todo)).toEqual(["Theirs"]);
});

/** As a browser shows a page that it kept while another was shown. */
const shownAgain = (persisted: boolean) =>
  dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));

/** As a browser tells a tab that is looked at again, or no more. */
function becomes(hidden: boolean): void {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

test.each([
  ["a page that is shown again", () => shownAgain(true)],
  ["a tab that is looked at again", () => becomes(false)],
])("%s is whose it is by now, though it was not told", async (_, see) => {
  const { todo } = await opened("ada");
  await add("My secret");
  // What tabs that stand still are told is not kept for them.
  localStorage.removeItem("syncline-todo-account");
  see();
  await isSomebody(todo, null);
  await shows(() => expect(titles()).toEqual([]));
  localStorage.setItem("syncline-todo-account", "bob");
  see();
  await isSomebody(todo, "bob");
  await appears(() => button("Account bob"));
});

test("a page that is shown for the first time, or no more, stays whose it is", async () => {
  const { todo } = await opened("ada");
  const signOut = vi.spyOn(todo.store, "signOut");
  localStorage.removeItem("syncline-todo-account");
  shownAgain(false);
  becomes(true);
  await add("Buy milk");
  expect(signOut).not.toHaveBeenCalled();
});
