/** The focus stays near to what was pressed, and never falls out of the page. */
import { expect, test } from "vitest";
import type { Rejected } from "@syncline/sdk";
import {
  add,
  appears,
  button,
  check,
  click,
  dialog,
  edit,
  failNext,
  field,
  focuses as hasFocus,
  heading,
  open,
  press,
  row,
  shows,
  submit,
  textOf,
  titles,
  toast,
  type,
} from "./page";
import { openTwo } from "./two_devices";

/** What has the focus, by its name. */
const nameOf = (one: Element) =>
  one.getAttribute("aria-label") ?? (textOf(one.querySelector(".text") ?? one) || one.localName);
const focuses = (name: string) => hasFocus((one) => nameOf(one) === name);

test("after a task left the list by its button, or by another device, the next one has it", async () => {
  const { todo } = await open();
  await add("First", "Second", "Third");
  const ids = Object.fromEntries((await todo.tasks.query()).map(({ title, id }) => [title, id]));
  field("Done: First").focus();
  await check("Done: First");
  await shows(() => expect(titles()).toEqual(["Second", "Third"]));
  await focuses("Second");
  button("Move: Second").focus();
  await todo.tasks.delete(ids["Second"]!);
  await shows(() => expect(titles()).toEqual(["Third"]));
  await focuses("Move: Third");
  await todo.tasks.delete(ids["Third"]!);
  await shows(() => expect(titles()).toEqual([]));
  await focuses("All tasks");
});

test("who lets go of a field is left alone", async () => {
  await open();
  await add("Buy milk", "Call Ada");
  await type("Search tasks", "milk");
  await shows(() => expect(titles()).toEqual(["Buy milk"]));
  press("Escape");
  await shows(() => expect(titles()).toEqual(["Buy milk", "Call Ada"]));
  expect(document.activeElement).toBe(document.body);
  ((await appears(() => row("Buy milk"))).querySelector(".title") as HTMLElement).focus();
  (document.activeElement as HTMLElement).blur();
  await new Promise((resolve) => setTimeout(resolve));
  await check("Done: Buy milk");
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  expect(document.activeElement).toBe(document.body);
});

test("a reminder that is removed leaves it to the next, and the last to what sets one", async () => {
  const { todo } = await open();
  await add("Buy milk");
  const [task] = await todo.tasks.query();
  for (const at of ["2031-01-01T09:00:00.000Z", "2031-01-02T09:00:00.000Z"])
    await todo.reminders.insert({ task: task!.id, at, isSeen: false });
  await edit("Buy milk");
  const removes = () => [...document.querySelectorAll("[aria-label^='Remove reminder']")];
  await shows(() => expect(removes()).toHaveLength(2));
  const [first, second] = removes() as HTMLElement[];
  const name = second!.getAttribute("aria-label")!;
  first!.focus();
  first!.click();
  await shows(() => expect(removes()).toHaveLength(1));
  await focuses(name);
  await click(name);
  await shows(() => expect(removes()).toHaveLength(0));
  await focuses("Remind");
});

test("a reminder that was seen leaves it to the next, and the last to the list", async () => {
  const { todo } = await open();
  await add("Buy milk", "Call Ada");
  for (const { id } of await todo.tasks.query())
    await todo.reminders.insert({ task: id, at: "2020-01-01T09:00:00.000Z", isSeen: false });
  await appears(() => button("Seen: Call Ada"));
  const seen = () =>
    [...document.querySelectorAll("[aria-label^='Seen']")].map((one) =>
      one.getAttribute("aria-label"),
    );
  await shows(() => expect(seen()).toHaveLength(2));
  const [first, second] = seen() as [string, string];
  await click(first);
  await focuses(second);
  await click(second);
  await focuses("All tasks");
});

test("undoing leaves it in the list", async () => {
  await open();
  await add("Buy milk");
  await check("Done: Buy milk");
  await click("Undo");
  await shows(() => expect(toast()).toContain("Taken back"));
  await focuses("All tasks");
});

test("a project that is archived, restored, renamed or gone leaves it beside", async () => {
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await click("Archive");
  await shows(() => heading("All tasks"));
  await focuses("All tasks");
  await click("Archived projects");
  await click(/^Garden/);
  await click("Restore");
  await appears(() => button("Archive"));
  await focuses("Archive");
  await click("Rename");
  await submit("Name", "Allotment");
  await shows(() => heading("Allotment"));
  await focuses("Rename");
  const [project] = await todo.projects.query();
  await todo.projects.insert({ id: "z", name: "Zoo", order: 9, isArchived: false });
  await appears(() => button(/^Zoo/));
  button(/^Allotment/).focus();
  await todo.projects.delete(project!.id);
  await shows(() => heading("All tasks"));
  await focuses("Zoo 0 tasks");
});

test("a label that is deleted leaves it to the list", async () => {
  await open();
  await add("Call Ada #phone");
  await click(/^#phone/);
  await click("Rename");
  await click("Delete label");
  await shows(() => heading("All tasks"));
  await focuses("All tasks");
});

test("what was not added and is put back has it in its field", async () => {
  const { todo } = await open();
  failNext(todo);
  await submit("New task", "Second");
  await type("New task", "Third");
  await click("Put it back");
  await focuses("New task");
});

test("a task that is kept has it in its title, and one at an end in the other move", async () => {
  const { todo } = await open();
  await add("Buy milk", "Call Ada");
  const [, ada] = (await todo.tasks.query({ sort: "order" })).map(({ id }) => id);
  await edit("Call Ada");
  await click("Move up");
  await shows(() => expect(titles()).toEqual(["Call Ada", "Buy milk"]));
  await focuses("Move down");
  await todo.tasks.delete(ada!);
  await click("Keep the task");
  await shows(() => expect(titles()).toContain("Call Ada"));
  await hasFocus((one) => one === field("Title"));
});

test("a refused change that is decided leaves it to the next, and the last to the sheet", async () => {
  const { todo } = await open();
  await add("Buy milk");
  const all: Rejected[] = [1, 2].map((id) => ({
    id,
    code: "forbidden",
    message: `why ${id}`,
    changes: [{ table: "tasks", id: `k${id}`, op: "delete", deletedAt: "" }],
    at: 0,
  }));
  const { store } = todo;
  // As the hub would have refused them.
  const tells = new Set<(all: Rejected[]) => void>();
  let left = all;
  store.rejected.live = () => ({
    subscribe: (next) => {
      tells.add(next);
      next(left);
      return () => void tells.delete(next);
    },
  });
  store.rejected.discard = async (id) => {
    left = left.filter((one) => one.id !== id);
    for (const tell of tells) tell(left);
  };
  await click("Sync details");
  const inPanel = (name: string) =>
    [...dialog("Sync details").querySelectorAll("button")].filter((one) => textOf(one) === name);
  await shows(() => expect(inPanel("Discard")).toHaveLength(2));
  inPanel("Discard")[0]!.focus();
  inPanel("Discard")[0]!.click();
  await shows(() => expect(inPanel("Discard")).toHaveLength(1));
  await hasFocus((one) => one === inPanel("Discard")[0]);
  left = all;
  for (const tell of tells) tell(left);
  await shows(() => expect(inPanel("Discard")).toHaveLength(2));
  for (const count of [1, 0]) {
    inPanel("Discard")[0]!.focus();
    inPanel("Discard")[0]!.click();
    await shows(() => expect(inPanel("Discard")).toHaveLength(count));
  }
  await hasFocus((one) => dialog("Sync details").contains(one));
});

test("on the page of two devices a task that is deleted leaves it to the next one", async () => {
  const [{ tasks }] = openTwo();
  for (const [order, title] of ["First", "Second"].entries())
    await tasks.insert({ title, done: false, order });
  await click("Delete First");
  await shows(() => expect(document.body.textContent).not.toContain("First"));
  await focuses("Delete Second");
  await click("Delete Second");
  await focuses("Add");
});
