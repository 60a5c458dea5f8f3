/** Projects and labels: archived and got back, and given other names. */
import { expect, test } from "vitest";
import {
  add,
  alerts,
  appears,
  button,
  click,
  close,
  edit,
  enter,
  field,
  heading,
  open,
  press,
  row,
  shows,
  stored,
  submit,
  textOf,
  titles,
  toast,
} from "./page";

const inNav = (selector: string) =>
  [...document.querySelectorAll(`nav ${selector}`)].map((one) => textOf(one));

async function withProject() {
  const page = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await add("Water");
  await shows(() => expect(titles()).toEqual(["Water"]));
  return page;
}

test("a project is archived, which can be taken back", async () => {
  const { todo } = await withProject();
  await click("Archive");
  await shows(() => heading("All tasks"));
  await shows(() => expect(toast()).toContain("Archived “Garden”"));
  await stored(todo.projects.live(), ([project]) => expect(project?.isArchived).toBe(true));
  await click("Undo");
  await stored(todo.projects.live(), ([project]) => expect(project?.isArchived).toBe(false));
  await shows(() => expect(document.querySelector("nav details")).toBeNull());
});

test("an archived project is listed apart, and is restored with its tasks", async () => {
  await withProject();
  await click("Archive");
  await shows(() => expect(inNav("details .label")).toEqual(["Garden"]));
  // Its tasks say where they belong, also in the editor.
  expect(textOf(row("Water"))).toContain("Garden");
  await edit("Water");
  await shows(() =>
    expect((field("Project") as unknown as HTMLSelectElement).selectedOptions[0]?.textContent).toBe(
      "Garden (archived)",
    ),
  );
  await close();
  await click("Archived projects");
  await click(/^Garden/);
  await shows(() => heading("Garden"));
  expect(titles()).toEqual(["Water"]);
  await click("Restore");
  await shows(() => expect(document.querySelector("nav details")).toBeNull());
  await appears(() => button("Archive"));
});

test("a project that was added is taken back, unless a task is in it by then", async () => {
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("Taken back: Added “Garden”"));
  heading("All tasks");
  expect(await todo.projects.query()).toEqual([]);

  await submit("New project", "House");
  await shows(() => heading("House"));
  const [house] = await todo.projects.query();
  // On another device.
  await todo.tasks.insert({ title: "Paint", done: true, order: 1, project: house!.id });
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("“House” holds a task by now, and stays."));
  expect(await todo.projects.query()).toEqual([house]);
});

test("a project gets another name, which can be taken back", async () => {
  await withProject();
  await click("Rename");
  await enter("Name", "Allotment");
  await submit("Name", "Allotment");
  await shows(() => heading("Allotment"));
  expect(textOf(row("Water"))).toContain("Allotment");
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => heading("Garden"));
});

test("a label gets another name on every task, and its old name is free again", async () => {
  await open();
  await add("Call Ada #phone");
  await click(/^#phone/);
  await click("Rename");
  await submit("Name", "Calls and mails");
  await shows(() => heading("#calls-and-mails"));
  expect(textOf(row("Call Ada"))).toContain("#calls-and-mails");
  await click(/^All tasks/);
  await add("Buy #phone");
  await shows(() => expect(textOf(row("Buy"))).toContain("#phone"));
  expect(textOf(row("Call Ada"))).not.toContain("#phone");
});

test("a label does not get the name of another", async () => {
  await open();
  await add("Call Ada #phone #calls");
  await click(/^#phone/);
  await click("Rename");
  await submit("Name", "calls");
  await shows(() => expect(alerts()).toEqual(["There is a label #calls already."]));
  await close();
  heading("#phone");
});

test("a label is deleted from every task, which can be taken back", async () => {
  const { todo } = await open();
  await add("Call Ada #phone");
  await click(/^#phone/);
  await click("Rename");
  await click("Delete label");
  await shows(() => heading("All tasks"));
  await shows(() => expect(textOf(row("Call Ada"))).not.toContain("#phone"));
  await stored(todo.taskLabels.live(), (all) => expect(all).toEqual([]));
  await click("Undo");
  await shows(() => expect(textOf(row("Call Ada"))).toContain("#phone"));
});
