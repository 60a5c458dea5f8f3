/** Drafts: what was typed and is not stored, of whom, and when it is. */
import { expect, test } from "vitest";
import { until } from "../../../sdk/test/eventually";
import { dropDraft, dropDrafts, giveDrafts, keepDraft, type Draft } from "../../src/todo/drafts";
import { add, appears, field, open, stored } from "./page";
import { isSomebody, opened, tell } from "./tabs";

const draft = (account: string | null, text: string, task = "seed-3"): Draft => {
  return { account, task, field: "notes", before: [""], text };
};

/** Whose drafts are kept, and what they say. */
const kept = () =>
  Object.entries(localStorage)
    .filter(([key]) => key.startsWith("syncline-todo-draft"))
    .map(([, text]) => JSON.parse(text as string) as Draft)
    .map(({ account, text }) => `${account ?? "a guest"}: ${text}`)
    .sort();

test("accounts that use one browser have drafts of their own, though their tasks have one id", () => {
  keepDraft(draft("ada", "One"));
  keepDraft(draft("bob", "Two"));
  keepDraft(draft(null, "Three"));
  expect(kept()).toEqual(["a guest: Three", "ada: One", "bob: Two"]);
  dropDraft(draft("bob", ""));
  expect(kept()).toEqual(["a guest: Three", "ada: One"]);
  dropDrafts(null);
  expect(kept()).toEqual(["ada: One"]);
});

test("what a guest typed takes the place of nothing that the account typed", () => {
  keepDraft(draft("ada", "One"));
  keepDraft(draft(null, "Two"));
  keepDraft(draft(null, "Three", "seed-4"));
  giveDrafts("ada");
  expect(kept()).toEqual(["ada: One", "ada: Three", "ada: Two"]);
  dropDraft(draft("ada", "", "seed-4"));
  expect(kept()).toEqual(["ada: One", "ada: Two"]);
});

test("a draft that an older version kept is found", async () => {
  const { todo, disk, end } = await open();
  await todo.tasks.insert({ id: "k", title: "Buy milk", done: false, order: 1 });
  await end();
  localStorage.setItem("syncline-todo-draft notes k", JSON.stringify(draft(null, "One", "k")));
  const again = await open({ disk });
  await stored(again.todo.tasks.liveGet("k"), (task) => expect(task?.notes).toBe("One"));
  await until(() => kept().length === 0);
});

test("what an account typed and left behind is stored when it is back, in the same page", async () => {
  const { todo } = await opened("ada");
  await add("Buy milk");
  const { id } = (await todo.tasks.query())[0]!;
  tell(null);
  await isSomebody(todo, null);
  keepDraft(draft("ada", "Two litres", id));
  keepDraft(draft("ada", "Of one that is gone", "gone"));
  await add("Later");
  expect(kept()).toEqual(["ada: Of one that is gone", "ada: Two litres"]);
  tell("ada");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
  await appears(() =>
    field("You had typed this as notes of a task that was deleted. It could not be stored."),
  );
  expect(kept()).toEqual(["ada: Of one that is gone"]);
});
