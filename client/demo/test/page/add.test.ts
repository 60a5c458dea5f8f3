/** New tasks: what they get of their view, and what becomes of one that cannot be stored. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dayOf, plusDays } from "../../src/model/days";
import { remove } from "../../src/todo/edits";
import { label } from "../../src/todo/lists";
import {
  add,
  alerts,
  appears,
  click,
  failNext,
  field,
  heading,
  open,
  row,
  shows,
  submit,
  titles,
  toast,
  type,
} from "./page";

const NOON = new Date(2031, 10, 10, 12);
const today = dayOf(NOON);

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOON }));
afterEach(() => void vi.useRealTimers());

test("a page that is not loaded over TLS, whose browser makes no names, adds tasks too", async () => {
  const getRandomValues = crypto.getRandomValues.bind(crypto);
  vi.stubGlobal("crypto", { getRandomValues });
  const { todo } = await open();
  await add("Buy milk #shop");
  await shows(() => expect(titles()).toEqual(["Buy milk"]));
  expect(await todo.taskLabels.query()).toHaveLength(1);
});

test("a task gets of its view what has it shown there", async () => {
  const { todo } = await open();
  const made = async () => (await todo.tasks.query({ filter: { title: "Water" } }))[0]!;
  const inView = async (view: RegExp) => {
    await click(view);
    await add("Water");
    await shows(() => expect(titles()).toEqual(["Water"]));
    const task = await made();
    await todo.tasks.delete(task.id);
    await shows(() => expect(titles()).toEqual([]));
    return task;
  };
  expect(await inView(/^Today/)).toMatchObject({ due: today, project: null });
  expect(await inView(/^Upcoming/)).toMatchObject({ due: plusDays(today, 1), project: null });
  expect(await inView(/^All tasks/)).toMatchObject({ due: null, project: null });
  await todo.projects.insert({ id: "garden", name: "Garden", order: 1, isArchived: false });
  expect(await inView(/^Garden/)).toMatchObject({ due: null, project: "garden" });
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  const { id } = await inView(/^#phone/);
  expect(await todo.taskLabels.query()).toEqual([
    { id: `${id} label-phone`, task: id, label: "label-phone" },
  ]);
});

test("a task that its view does not show is told where it is", async () => {
  await open();
  await click(/^Upcoming/);
  await add("Call Ada today");
  await shows(() => expect(toast()).toContain("Added “Call Ada”: it is in Today."));
  expect(titles()).toEqual([]);
  await click(/^Today/);
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  await add("Call Bob tomorrow");
  await shows(() => expect(toast()).toContain("Added “Call Bob”: it is in Upcoming."));
  await click(/^Done/);
  await add("Call Cleo");
  await shows(() => heading("All tasks"));
});

test("a view goes with its label or project, and that is told", async () => {
  const { todo } = await open();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await todo.projects.insert({ id: "garden", name: "Garden", order: 1, isArchived: false });
  await click(/^#phone/);
  await shows(() => heading("#phone"));
  await todo.labels.delete("label-phone");
  await shows(() => heading("All tasks"));
  expect(toast()).toContain("#phone was deleted: here are all tasks.");
  await add("Call Ada");
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  expect(await todo.taskLabels.query()).toEqual([]);
  await click(/^Garden/);
  await shows(() => heading("Garden"));
  await todo.projects.delete("garden");
  await shows(() => heading("All tasks"));
  expect(toast()).toContain("“Garden” was deleted: here are all tasks.");
});

test("a task is given nothing that is gone and still shown, and told where it is", async () => {
  const { todo } = await open();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await todo.projects.insert({ id: "garden", name: "Garden", order: 1, isArchived: false });
  await click(/^#phone/);
  vi.spyOn(todo.labels, "query").mockResolvedValueOnce([]);
  await add("Call Ada");
  await shows(() => expect(toast()).toContain("Added “Call Ada”: it is in All tasks"));
  await shows(() => heading("All tasks"));
  await click(/^Garden/);
  vi.spyOn(todo.projects, "get").mockResolvedValueOnce(undefined);
  await add("Water");
  await shows(() => expect(toast()).toContain("Added “Water”: it is in All tasks"));
  await shows(() => expect(titles()).toEqual(["Call Ada", "Water"]));
  expect(await todo.taskLabels.query()).toEqual([]);
  expect((await todo.tasks.query()).map(({ project }) => project)).toEqual([null, null]);
});

test("what is brought back or labelled gets no label that is gone", async () => {
  const { todo } = await open();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await add("Call Ada #phone");
  const { id } = (await todo.tasks.query())[0]!;
  const done = await remove(todo, id);
  await todo.labels.delete("label-phone");
  await done!.undo();
  await expect(label(todo, id, "label-phone", true)).rejects.toThrow("That label was deleted.");
  expect(await todo.tasks.get(id)).toMatchObject({ title: "Call Ada" });
  expect(await todo.taskLabels.query()).toEqual([]);
});

test("a task that cannot be stored stays in the field, which says why", async () => {
  const { todo } = await open();
  failNext(todo);
  await submit("New task", "Call Ada");
  await shows(() => expect(alerts()).toEqual([expect.stringContaining("no more room")]));
  expect(alerts()[0]).toContain("“Call Ada” was not added.");
  expect(field("New task").value).toBe("Call Ada");
  await submit("New task", "Call Ada");
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  await shows(() => expect(alerts()).toEqual([]));
  expect(field("New task").value).toBe("");
});

test("what is typed while a task is stored stays, and one that failed can be put back", async () => {
  const { todo } = await open();
  await submit("New task", "First");
  await type("New task", "Second");
  await shows(() => expect(titles()).toEqual(["First"]));
  expect(field("New task").value).toBe("Second");
  failNext(todo);
  await submit("New task", "Second");
  await type("New task", "Third");
  await click("Put it back");
  expect(field("New task").value).toBe("Second");
});

test("what is typed is there after a reload, and the view says the day it gives", async () => {
  const { disk, end } = await open();
  await click(/^Upcoming/);
  await type("New task", "Call Ada");
  await shows(() =>
    expect(document.getElementById("new-task-hint")?.textContent).toBe("due Tomorrow"),
  );
  await end();
  await open({ disk });
  expect(field("New task").value).toBe("Call Ada");
  await add("Call Ada");
  expect(field("New task").value).toBe("");
});

test("Enter twice makes one task", async () => {
  await open();
  const found = await type("New task", "Once");
  for (let n = 0; n < 2; n++)
    found.closest("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  await shows(() => expect(titles()).toEqual(["Once"]));
  await add("Twice");
  await shows(() => expect(titles()).toEqual(["Once", "Twice"]));
});

test("a project and a label that cannot be stored stay in their fields", async () => {
  const { todo } = await open();
  failNext(todo);
  await submit("New project", "Garden");
  await shows(() => expect(alerts()[0]).toContain("“Garden” was not added."));
  expect(field("New project").value).toBe("Garden");
  await add("Buy milk");
  ((await appears(() => row("Buy milk"))).querySelector(".title") as HTMLElement).click();
  await type("New label", "shop");
  failNext(todo);
  await click("Add label");
  await shows(() => expect(alerts()[0]).toContain("“shop” was not added."));
  expect((await appears(() => field("New label"))).value).toBe("shop");
  await click("Add label");
  await appears(() => field("#shop"));
  await shows(() => expect(field("New label").value).toBe(""));
});
