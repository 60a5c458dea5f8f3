/** The editor: what is typed is stored while it is typed, and outlives the page and the task. */
import { expect, test, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import { LocalStore } from "@syncline/sdk";
import {
  add,
  alerts,
  appears,
  button,
  check,
  choose,
  click,
  close,
  dialog,
  edit,
  enter,
  failNext,
  field,
  open,
  row,
  shows,
  stored,
  textOf,
  titles,
  toast,
  type,
} from "./page";
import { change } from "../../src/todo/edits";
import { label } from "../../src/todo/lists";
import type { Todo } from "../../src/todo/open";

/** What is kept of what was typed and is not stored. */
const drafts = () =>
  Object.keys(localStorage).filter((key) => key.startsWith("syncline-todo-draft"));

/** A page with one task, open in the editor. */
async function opened() {
  const page = await open();
  await add("Buy milk");
  const [task] = await page.todo.tasks.query();
  await edit("Buy milk");
  return { ...page, id: task!.id };
}

test("what is typed is stored without leaving the field", async () => {
  const { todo, id } = await opened();
  await type("Notes", "Two litres");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
  await type("Title", "Buy oat milk");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.title).toBe("Buy oat milk"));
  // Nothing is no title.
  await enter("Title", " ");
  expect((await todo.tasks.get(id))?.title).toBe("Buy oat milk");
  expect(field("Title").value).toBe("Buy oat milk");
});

test("a field that is set to what it is has nothing to take back", async () => {
  const { todo, id } = await opened();
  expect(await change(todo, id, { title: "Buy milk", notes: null })).toBeNull();
  expect(await change(todo, id, { notes: "Two litres" })).not.toBeNull();
});

test("what is typed just before the editor is closed is stored", async () => {
  const { todo, id } = await opened();
  await type("Notes", "Two litres");
  await close();
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
  expect(toast()).toBe("");
});

test("every field is stored when it is left", async () => {
  const { todo, id } = await opened();
  await todo.projects.insert({ id: "garden", name: "Garden", order: 1, isArchived: false });
  await enter("Due", "2031-11-11");
  await choose("Repeat", "Every week");
  await choose("Priority", "High");
  await appears(() => {
    if (!field("Project").textContent?.includes("Garden")) throw new Error("not yet");
  });
  await choose("Project", "Garden");
  await stored(todo.tasks.liveGet(id), (task) =>
    expect(task).toMatchObject({
      due: "2031-11-11",
      repeat: "FREQ=WEEKLY",
      priority: "high",
      project: "garden",
    }),
  );
  await enter("Due", "");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.due).toBeNull());
});

test("what cannot be stored stays in the field, and is stored with what is typed next", async () => {
  const { todo, id } = await opened();
  failNext(todo);
  await enter("Notes", "Two litres");
  await shows(() => expect(toast()).toContain("no more room"));
  // Whatever another device writes meanwhile.
  await todo.tasks.update(id, { notes: "From elsewhere", priority: "high" });
  await shows(() => expect(field("Priority").value).toBe("high"));
  expect(field("Notes").value).toBe("Two litres");
  await enter("Notes", "Two litres, blue box");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres, blue box"));
});

test("what cannot be stored when the editor is closed is offered, and stored by the next page", async () => {
  const { todo, disk, end, id } = await opened();
  await type("Notes", "Two litres");
  failNext(todo);
  await close();
  await shows(() => expect(field(/^You had typed this as notes/).value).toBe("Two litres"));
  await end();
  const again = await open({ disk });
  await stored(again.todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
  await until(() => drafts().length === 0);
});

test("a press beside the editor closes it, but no selection that ends there", async () => {
  await opened();
  const sheet = dialog("Edit task") as HTMLDialogElement;
  field("Notes").dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  sheet.click();
  dialog("Edit task");
  sheet.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  sheet.click();
  await shows(() => expect(document.querySelector("dialog")).toBeNull());
});

test("a toast of before does not cover the editor, one that is said in it does", async () => {
  const { todo } = await open();
  await add("Buy milk", "Call Ada");
  await check("Done: Call Ada");
  await shows(() => expect(toast()).toContain("Done: “Call Ada”"));
  await edit("Buy milk");
  expect(toast()).toBe("");
  failNext(todo);
  await enter("Notes", "Two litres");
  await shows(() => expect(toast()).toContain("no more room"));
});

test.each([
  ["Title", "title", "Buy oat milk", "Buy oat milk"],
  ["Title", "title", "Buy oat milk, or ", "Buy oat milk, or"],
  ["Notes", "notes", "Two litres", "Two litres"],
  ["Notes", "notes", "", null],
] as const)(
  "what is typed as %s when the page ends is there when it starts again, as it is stored: %s, “%s”",
  async (label, name, text, kept) => {
    const { todo, disk, end, id } = await opened();
    await todo.tasks.update(id, { notes: "One litre" });
    await shows(() => expect(field("Notes").value).toBe("One litre"));
    // A page that ends does not wait for what is on its way.
    vi.spyOn(todo.store, "write").mockImplementation(() => new Promise(() => {}));
    await type(label, text);
    window.dispatchEvent(new Event("pagehide"));
    await end();
    const again = await open({ disk });
    await stored(again.todo.tasks.liveGet(id), (task) => expect(task?.[name]).toBe(kept));
    await until(() => drafts().length === 0);
  },
);

test("what is typed is kept when the page is hidden, as one that is ended on a phone was before", async () => {
  const { todo, disk, end, id } = await opened();
  vi.spyOn(todo.store, "write").mockImplementation(() => new Promise(() => {}));
  await type("Notes", "Two litres");
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  document.dispatchEvent(new Event("visibilitychange"));
  hidden.mockRestore();
  await end();
  const again = await open({ disk });
  await stored(again.todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
});

test("what a guest typed is not stored in an account, and waits for the guest", async () => {
  const { todo, disk, end, id } = await opened();
  vi.spyOn(todo.store, "write").mockImplementation(() => new Promise(() => {}));
  await type("Notes", "Two litres");
  window.dispatchEvent(new Event("pagehide"));
  await end();
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const account = await open({ disk, account: "ada" });
  await account.todo.tasks.insert({ id, title: "Another's", done: false, order: 1 });
  await add("Later");
  expect((await account.todo.tasks.get(id))?.notes).toBeUndefined();
  await account.end();
  vi.unstubAllGlobals();
  const again = await open({ disk });
  await stored(again.todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
});

test("a draft that is stored while the page is there is none any more", async () => {
  const { todo, id } = await opened();
  await type("Notes", "Two litres");
  window.dispatchEvent(new Event("pagehide"));
  expect(drafts()).toHaveLength(1);
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
  await until(() => drafts().length === 0);
});

test("a write that is over keeps the draft of what was typed since", async () => {
  const { todo, id } = await opened();
  const write = todo.store.write.bind(todo.store);
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  const asked = vi.spyOn(todo.store, "write");
  asked.mockImplementationOnce(async (edits) => {
    await held;
    return write(edits);
  });
  asked.mockImplementationOnce(() => new Promise(() => {}));
  await enter("Notes", "Two");
  await until(() => asked.mock.calls.length === 1);
  await type("Notes", "Two litres");
  window.dispatchEvent(new Event("pagehide"));
  go();
  await until(() => asked.mock.calls.length === 2);
  expect((await todo.tasks.get(id))?.notes).toBe("Two");
  expect(drafts()).toHaveLength(1);
});

test("what is stored but for a space behind it is no draft", async () => {
  const { todo, id } = await opened();
  await type("Title", "Buy oat milk ");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.title).toBe("Buy oat milk"));
  await shows(() => expect(titles()).toEqual(["Buy oat milk"]));
  window.dispatchEvent(new Event("pagehide"));
  expect(drafts()).toEqual([]);
});

test("what was typed when a page ended is not written over what was written since", async () => {
  const { todo, disk, end, id } = await opened();
  const write = vi.spyOn(todo.store, "write").mockImplementation(() => new Promise(() => {}));
  await type("Notes", "Two litres");
  window.dispatchEvent(new Event("pagehide"));
  write.mockRestore();
  await todo.tasks.update(id, { notes: "From elsewhere" });
  await end();
  const again = await open({ disk });
  await add("Later");
  expect((await again.todo.tasks.get(id))?.notes).toBe("From elsewhere");
});

/** A draft of notes, as a page that ended left it. */
function left(task: string, text: string, before = ""): void {
  const draft = { account: null, task, field: "notes", before: [before], text };
  localStorage.setItem(`syncline-todo-draft notes ${task}`, JSON.stringify(draft));
}

test("what cannot be stored of what was typed is offered, until it is discarded", async () => {
  const { todo, disk, end, id } = await opened();
  await todo.tasks.update(id, { notes: "From elsewhere" });
  await end();
  left(id, "Two litres", "One litre");
  left("gone", "Of a task that was deleted");
  const again = await open({ disk });
  const name = "You had typed this as notes of “Buy milk”. It could not be stored.";
  await shows(() => expect(field(name).value).toBe("Two litres"));
  expect(field(/^You had typed .* a task that was deleted/).value).toBe(
    "Of a task that was deleted",
  );
  await click("Discard: notes of “Buy milk”");
  await click("Discard: notes of a task that was deleted");
  await shows(() => expect(document.querySelector("main section")).toBeNull());
  expect(drafts()).toEqual([]);
  expect((await again.todo.tasks.get(id))?.notes).toBe("From elsewhere");
});

test("what is offered stays when its field is written to again, also when the page starts again", async () => {
  const { todo, disk, end, id } = await opened();
  await todo.tasks.update(id, { notes: "From elsewhere" });
  await end();
  left(id, "Two litres", "One litre");
  const again = await open({ disk });
  await appears(() => button(/^Discard: notes of/));
  await edit("Buy milk");
  await enter("Notes", "Three litres");
  await stored(again.todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Three litres"));
  await close();
  await add("Later");
  await again.end();
  const third = await open({ disk });
  await shows(() => expect(field(/^You had typed this as notes/).value).toBe("Two litres"));
  expect((await third.todo.tasks.get(id))?.notes).toBe("Three litres");
  await click(/^Discard/);
  expect(drafts()).toEqual([]);
});

test("one that fails keeps nothing else that was typed back, and is tried again", async () => {
  const { todo, disk, end, id } = await opened();
  await todo.tasks.insert({ id: "other", title: "Call Ada", done: false, order: 2 });
  await end();
  left(id, "Two litres");
  left("other", "At noon");
  const failing = vi.spyOn(LocalStore.prototype, "write");
  failing.mockRejectedValueOnce(new Error("no more room"));
  const again = await open({ disk });
  await appears(() => button(/^Discard: notes of/));
  expect(drafts()).toHaveLength(1);
  await again.end();
  const third = await open({ disk });
  await stored(third.todo.tasks.live(), (all) =>
    expect(all.map(({ notes }) => notes).sort()).toEqual(["At noon", "Two litres"]),
  );
});

test("a reminder and a label that were chosen and not pressed are stored when it is closed", async () => {
  const { todo, id } = await opened();
  await type("New label", "phone");
  await type("Remind at", "2031-11-11T00:09");
  await close();
  await stored(todo.reminders.live(), (all) => expect(all).toHaveLength(1));
  await stored(todo.taskLabels.live(), (all) => expect(all.map(({ task }) => task)).toEqual([id]));
});

test("nothing of a task that is deleted is stored when its editor closes", async () => {
  const { todo } = await opened();
  await type("New label", "phone");
  await type("Remind at", "2031-11-11T00:09");
  await click("Delete");
  await shows(() => expect(toast()).toContain("Deleted “Buy milk”"));
  await add("Later");
  expect(await todo.taskLabels.query()).toEqual([]);
  expect(await todo.reminders.query()).toEqual([]);
});

test("a label without a name is refused in words", async () => {
  await opened();
  await type("New label", "#");
  await click("Add label");
  await shows(() => expect(alerts()[0]).toContain("A label needs a name."));
  expect(field("New label").value).toBe("#");
});

test("a label that two records give a task is shown and counted once, and taken with both", async () => {
  const { todo, id } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  for (const record of ["a", "b"])
    await todo.taskLabels.insert({ id: record, task: id, label: "label-phone" });
  await shows(() => expect(field("#phone").checked).toBe(true));
  await close();
  await todo.tasks.update(id, { priority: "high" });
  await shows(() => expect(textOf(row("Buy milk"))).toContain("Important"));
  expect(textOf(row("Buy milk")).match(/#phone/g)).toHaveLength(1);
  expect(textOf(button(/^#phone/))).toBe("#phone 1 task");
  await label(todo, id, "label-phone", false);
  expect(await todo.taskLabels.query()).toEqual([]);
});

test("taking a label that another device took is no fault", async () => {
  const { todo, id } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  expect(await label(todo, id, "label-phone", false)).toBeNull();
});

test("what is stored is no draft, whatever another device wrote there since", async () => {
  const { todo, disk, end, id } = await opened();
  await type("Notes", "A");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("A"));
  await todo.tasks.update(id, { notes: "B", priority: "high" });
  await shows(() => expect(row("Buy milk").textContent).toContain("Important"));
  window.dispatchEvent(new Event("pagehide"));
  expect(drafts()).toEqual([]);
  await end();
  const again = await open({ disk });
  await add("Later");
  expect((await again.todo.tasks.get(id))?.notes).toBe("B");
});

test("a write that is under way when the page ends does not undo what came after it", async () => {
  const { todo, disk, end, id } = await opened();
  const write = vi.spyOn(todo.store, "write").mockImplementation(() => new Promise(() => {}));
  await type("Notes", "A");
  await until(() => write.mock.calls.length > 0);
  write.mockRestore();
  await todo.tasks.update(id, { priority: "high", notes: "B" });
  await shows(() => expect(field("Priority").value).toBe("high"));
  window.dispatchEvent(new Event("pagehide"));
  await end();
  const again = await open({ disk });
  await add("Later");
  expect((await again.todo.tasks.get(id))?.notes).toBe("B");
});

test("what another device writes after what was typed is stored is shown", async () => {
  const { todo, id } = await opened();
  const notes = await type("Notes", "A");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("A"));
  await todo.tasks.update(id, { notes: "B" });
  await until(() => notes.value === "B");
  notes.blur();
  expect(notes.value).toBe("B");
  await type("Notes", "B and more");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("B and more"));
});

test("a space at the end of what is stored stays while it is typed, and goes with the focus", async () => {
  const { todo, id } = await opened();
  const title = await type("Title", "Buy oat ");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.title).toBe("Buy oat"));
  await shows(() => expect(titles()).toEqual(["Buy oat"]));
  expect(title.value).toBe("Buy oat ");
  title.blur();
  await until(() => title.value === "Buy oat");
});

test("a label is given and taken by its box", async () => {
  const { todo, id } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await check("#phone");
  await stored(todo.taskLabels.live(), (all) =>
    expect(all).toEqual([{ id: `${id} label-phone`, task: id, label: "label-phone" }]),
  );
  await shows(() => expect(field("#phone").checked).toBe(true));
  await check("#phone");
  await stored(todo.taskLabels.live(), (all) => expect(all).toEqual([]));
});

test("a label that could not be given is not shown as given", async () => {
  const { todo } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await appears(() => field("#phone"));
  failNext(todo);
  await check("#phone");
  await shows(() => expect(toast()).toContain("no more room"));
  await shows(() => expect(field("#phone").checked).toBe(false));
  expect(await todo.taskLabels.query()).toEqual([]);
});

test("a task that is deleted elsewhere stays open with what is typed, and can be kept", async () => {
  const { todo, id } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await todo.reminders.insert({ id: "r", task: id, at: "2031-01-01T00:00:00Z", isSeen: false });
  await check("#phone");
  await stored(todo.taskLabels.live(), (all) => expect(all).toHaveLength(1));
  await close();
  await shows(() => expect(textOf(row("Buy milk"))).toContain("#phone"));
  await edit("Buy milk");
  const before = await todo.taskLabels.query();
  await type("Notes", "Two li");
  await todo.store.write([
    todo.tasks.edits.delete(id),
    ...before.map((one) => todo.taskLabels.edits.delete(one.id)),
    todo.reminders.edits.delete("r"),
  ]);
  await shows(() => expect(alerts()[0]).toContain("deleted on another device"));
  dialog("Edit task");
  expect(titles()).toEqual([]);
  await enter("Notes", "Two litres");
  await choose("Priority", "High");
  await click("Keep the task");
  await stored(todo.tasks.liveGet(id), (task) =>
    expect(task).toMatchObject({ title: "Buy milk", notes: "Two litres", priority: "high" }),
  );
  await stored(todo.taskLabels.live(), (all) => expect(all).toEqual(before));
  await stored(todo.reminders.live(), (all) => expect(all.map((one) => one.id)).toEqual(["r"]));
  await shows(() => expect(alerts()).toEqual([]));
});

test("what is typed into a task that is gone outlives the page, unless it is let go or kept", async () => {
  const { todo, disk, end, id } = await opened();
  await todo.tasks.delete(id);
  await shows(() => expect(alerts()[0]).toContain("deleted on another device"));
  await enter("Notes", "Two litres");
  await end();
  await open({ disk });
  await shows(() => expect(field(/^You had typed this as notes/).value).toBe("Two litres"));
  await click(/^Discard/);
  expect(drafts()).toEqual([]);
});

test("what is typed into a task that is gone is offered when its editor is closed", async () => {
  const { todo, disk, end, id } = await opened();
  await todo.tasks.delete(id);
  await shows(() => expect(alerts()[0]).toContain("deleted on another device"));
  await enter("Notes", "Two litres");
  await type("Title", "Buy oat milk");
  await click("Close");
  await shows(() => expect(field(/^You had typed this as notes/).value).toBe("Two litres"));
  await shows(() => expect(field(/^You had typed this as title/).value).toBe("Buy oat milk"));
  await click(/^Discard: notes/);
  await end();
  await open({ disk });
  await shows(() => expect(field(/^You had typed this as title/).value).toBe("Buy oat milk"));
  expect(drafts()).toHaveLength(1);
});

test.each(["Let it go", "Keep the task"])(
  "what is typed into a task that is gone is no draft after %s",
  async (choice) => {
    const { todo, id } = await opened();
    await todo.tasks.delete(id);
    await shows(() => expect(alerts()[0]).toContain("deleted on another device"));
    await enter("Notes", "Two litres");
    await until(() => drafts().length === 1);
    await click(choice);
    await shows(() => expect(document.querySelector("[role=alert]")).toBeNull());
    await until(() => drafts().length === 0);
  },
);

/** As another device does, which deletes a task with what belongs to it. */
async function deleteElsewhere(todo: Todo, id: string): Promise<void> {
  const given = await todo.taskLabels.query({ filter: { task: id } });
  const deletions = given.map((one) => todo.taskLabels.edits.delete(one.id));
  await todo.store.write([todo.tasks.edits.delete(id), ...deletions]);
}

test("a task that is kept has the label that it was given just before it was deleted", async () => {
  const { todo, id } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await check("#phone");
  await shows(() => expect(field("#phone").checked).toBe(true));
  await stored(todo.taskLabels.live(), (all) => expect(all).toHaveLength(1));
  await deleteElsewhere(todo, id);
  await click("Keep the task");
  await stored(todo.taskLabels.live(), (all) => expect(all).toHaveLength(1));
});

test("a task that is kept does not have the label again that it was taken before", async () => {
  const { todo, id } = await opened();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await check("#phone");
  await stored(todo.taskLabels.live(), (all) => expect(all).toHaveLength(1));
  await shows(() => expect(field("#phone").checked).toBe(true));
  const looks = vi.spyOn(todo.tasks, "get");
  await check("#phone");
  // The editor has found the task still there.
  await until(() => looks.mock.settledResults.some(({ value }) => value !== undefined));
  await deleteElsewhere(todo, id);
  await click("Keep the task");
  await stored(todo.tasks.liveGet(id), (task) => expect(task).toBeDefined());
  expect(await todo.taskLabels.query()).toEqual([]);
});

test("a task that is deleted elsewhere and let go does not come up again when it is back", async () => {
  const { todo, id } = await opened();
  const task = (await todo.tasks.get(id))!;
  await todo.tasks.delete(id);
  await click("Let it go");
  await shows(() => expect(document.querySelector("dialog")).toBeNull());
  await todo.tasks.insert(task);
  await shows(() => expect(titles()).toEqual(["Buy milk"]));
  expect(document.querySelector("dialog")).toBeNull();
  expect((await todo.tasks.query()).length).toBe(1);
});
