/** A deleted label that is taken back, after its name has been used again. */
import { expect, test } from "vitest";
import { newLabel, removeLabel, renameLabel } from "../../src/todo/lists";
import { add, open, shows, titles } from "./page";

/** A page with two tasks that have one label; returns its id, and who acts. */
async function labelled() {
  const { todo } = await open();
  await add("Call Ada #phone", "Call Bob #phone");
  await shows(() => expect(titles()).toEqual(["Call Ada", "Call Bob"]));
  const tasks = await todo.tasks.query({ sort: "order" });
  const [label] = await todo.labels.query();
  return { todo, ids: tasks.map(({ id }) => id) as [string, string], label: label!.id };
}

type Page = Awaited<ReturnType<typeof labelled>>;

/** The labels' names by task. */
async function given({ todo, ids }: Page): Promise<string[][]> {
  const names = new Map((await todo.labels.query()).map(({ id, name }) => [id, name]));
  const all = await todo.taskLabels.query();
  return ids.map((id) => all.filter(({ task }) => task === id).map((one) => names.get(one.label)!));
}

test("its tasks have it again where a task was given a label of its name since", async () => {
  const page = await labelled();
  const { todo, ids, label } = page;
  const removed = await removeLabel(todo, label);
  await newLabel(todo, ids[1], "phone");
  expect(await removed!.undo()).toBeNull();
  expect(await given(page)).toEqual([["phone"], ["phone"]]);
  expect(await todo.labels.count()).toBe(1);
});

test("also where that is another one, and nothing is doubled if it is taken back twice", async () => {
  const page = await labelled();
  const { todo, ids, label } = page;
  const removed = await removeLabel(todo, label);
  await todo.labels.insert({ id: "of-a-script", name: "phone" });
  await todo.taskLabels.insert({ id: "of-a-script-too", task: ids[0], label: "of-a-script" });
  for (let time = 0; time < 2; time++) await removed!.undo();
  expect(await given(page)).toEqual([["phone"], ["phone"]]);
  expect(await todo.labels.count()).toBe(1);
});

test("and has its own name where another label has taken its place", async () => {
  const page = await labelled();
  const { todo, ids, label } = page;
  await renameLabel(todo, label, "mobile");
  const removed = await removeLabel(todo, label);
  await newLabel(todo, ids[1], "phone");
  await removed!.undo();
  const [first, second] = await given(page);
  expect(first).toEqual(["mobile"]);
  expect(second!.sort()).toEqual(["mobile", "phone"]);
});
