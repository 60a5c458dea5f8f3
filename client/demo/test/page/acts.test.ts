/** What is done to tasks by key and button, and taking it back. */
import { expect, test, vi, onTestFinished } from "vitest";
import {
  add,
  appears,
  button,
  check,
  click,
  close,
  edit,
  enter,
  field,
  open,
  press,
  row,
  shows,
  stored,
  textOf,
  titles,
  toast,
  type,
} from "./page";
import { sayMoment } from "../../src/model/days";
import { remove } from "../../src/todo/edits";

const spoken = () => textOf(document.querySelector("[aria-label='What changed']"));

/** Time that can be let pass, and otherwise passes as it does. */
function clock() {
  vi.useFakeTimers({
    toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    shouldAdvanceTime: true,
  });
  onTestFinished(() => void vi.useRealTimers());
}

test("what was done last is taken back by key long after its toast is gone", async () => {
  clock();
  await open();
  await add("Buy milk", "Call Ada");
  ((await appears(() => row("Buy milk"))).querySelector(".title") as HTMLElement).focus();
  press("d");
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  expect(toast()).toContain("Deleted “Buy milk”");
  vi.advanceTimersByTime(60_000);
  await shows(() => expect(toast()).toBe(""));
  expect(textOf(button(/^Undo/))).toBe("Undo: Deleted “Buy milk”");
  press("u");
  await shows(() => expect(titles()).toEqual(["Buy milk", "Call Ada"]));
  await shows(() => expect(toast()).toBe("Taken back: Deleted “Buy milk”"));
  press("u");
  await shows(() => expect(toast()).toBe("There is nothing to take back."));
});

test("taking back a tick leaves what was written to the task since", async () => {
  const { todo } = await open();
  await add("Buy milk");
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("Done: “Buy milk”"));
  const [task] = await todo.tasks.query();
  await todo.tasks.update(task!.id, { due: "2030-01-01" });
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("Taken back: Done: “Buy milk”"));
  expect(await todo.tasks.get(task!.id)).toMatchObject({ done: false, due: "2030-01-01" });
});

test("a toast stays while somebody is at it", async () => {
  clock();
  await open();
  await add("Buy milk");
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("Done: “Buy milk”"));
  button("Undo").focus();
  button("Undo").dispatchEvent(new FocusEvent("focusin", { bubbles: true }));
  vi.advanceTimersByTime(60_000);
  expect(toast()).toContain("Done: “Buy milk”");
  await click("Undo");
  await shows(() => expect(titles()).toEqual(["Buy milk"]));
});

test("adding and moving are taken back too, the last of them", async () => {
  await open();
  await add("First", "Second", "Third");
  ((await appears(() => row("Third"))).querySelector(".title") as HTMLElement).focus();
  press("ArrowUp", { altKey: true });
  await shows(() => expect(titles()).toEqual(["First", "Third", "Second"]));
  press("u");
  await shows(() => expect(titles()).toEqual(["First", "Second", "Third"]));
  await add("Fourth");
  await shows(() => expect(titles()).toHaveLength(4));
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(titles()).toEqual(["First", "Second", "Third"]));
});

test("taking back a move leaves out a task that was deleted since, and says so", async () => {
  const { todo } = await open();
  for (const id of ["a", "b", "c"])
    await todo.tasks.insert({ id, title: id, done: false, order: 1 });
  const orders = async () => (await todo.tasks.query()).map(({ order }) => order);
  await shows(() => expect(titles()).toEqual(["a", "b", "c"]));
  button("Move: c").focus();
  press("ArrowUp");
  await shows(() => expect(titles()).toEqual(["a", "c", "b"]));
  expect(await orders()).not.toEqual([1, 1, 1]);
  await todo.tasks.delete("c");
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("Taken back, but for what was deleted since: Moved “c”"));
  expect(await orders()).toEqual([1, 1]);
});

test("taking back a repetition leaves out a reminder that was deleted since", async () => {
  const { todo } = await open();
  const [due, repeat] = ["2020-01-01", "FREQ=DAILY"];
  await todo.tasks.insert({ id: "k", title: "Water", done: false, order: 1, due, repeat });
  for (const id of ["r", "s"])
    await todo.reminders.insert({ id, task: "k", at: "2020-01-01T08:00:00Z", isSeen: false });
  await check("Done: Water");
  await shows(() => expect(toast()).toContain("comes again"));
  await todo.reminders.delete("r");
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toContain("Taken back: “Water” comes again"));
  expect(await todo.tasks.get("k")).toMatchObject({ due });
  expect(await todo.reminders.query()).toMatchObject([{ id: "s", isSeen: false }]);
});

test("taking back gives no label and no reminder to a task that was deleted since", async () => {
  const { todo } = await open();
  const at = "2031-01-01T08:00:00Z";
  await todo.labels.insert({ id: "l", name: "phone" });
  /** A task of the id that has both, once it is shown. */
  const task = async (id: string) => {
    await todo.tasks.insert({ id, title: id, done: false, order: 1 });
    await todo.taskLabels.insert({ id: `${id} l`, task: id, label: "l" });
    await todo.reminders.insert({ id: `${id} r`, task: id, at, isSeen: false });
    await shows(() => expect(textOf(row(id))).toContain("#phone"));
  };
  /** As another device does. */
  const isDeleted = async (id: string) => {
    await remove(todo, id);
    await shows(() => expect(titles()).not.toContain(id));
  };
  const isPartly = async (text: string) => {
    (document.activeElement as HTMLElement).blur();
    press("u");
    await shows(() => expect(toast()).toBe(`Taken back, but for what was deleted since: ${text}`));
  };

  await task("a");
  await edit("a");
  await check("#phone");
  await close();
  await shows(() => expect(textOf(row("a"))).not.toContain("#phone"));
  await isDeleted("a");
  await isPartly("Taken: #phone");
  expect(await todo.taskLabels.query()).toEqual([]);

  await task("b");
  await edit("b");
  await click(/^Remove reminder of/);
  await close();
  await shows(() => expect(textOf(row("b"))).not.toContain("Reminder"));
  await isDeleted("b");
  await isPartly(`Removed reminder: ${sayMoment(at)}`);
  expect(await todo.reminders.query()).toEqual([]);

  await task("c");
  await task("d");
  await click(/^#phone/);
  await click("Rename");
  await click("Delete label");
  await shows(() => expect(toast()).toContain("Deleted #phone"));
  await isDeleted("c");
  await isPartly("Deleted #phone");
  expect(await todo.labels.query()).toMatchObject([{ name: "phone" }]);
  expect(await todo.taskLabels.query()).toMatchObject([{ task: "d" }]);
});

test("taking back a task takes the labels along that it made, but none that others have", async () => {
  const { todo } = await open();
  await todo.labels.insert({ id: "label-old", name: "old" });
  const names = async () => (await todo.labels.query({ sort: "name" })).map(({ name }) => name);
  await add("First #old #new");
  expect(await names()).toEqual(["new", "old"]);
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("Taken back: Added “First”"));
  expect(await names()).toEqual(["old"]);
  expect(await todo.taskLabels.query()).toEqual([]);

  await add("Second #new #newer");
  // On another device, meanwhile.
  await todo.taskLabels.insert({ id: "x label-newer", task: "x", label: "label-newer" });
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("Taken back: Added “Second”"));
  expect(await names()).toEqual(["newer", "old"]);
  expect((await todo.taskLabels.query()).map(({ task }) => task)).toEqual(["x"]);

  await add("Third #newest");
  const [third] = await todo.tasks.query();
  await todo.tasks.delete(third!.id);
  (document.activeElement as HTMLElement).blur();
  press("u");
  await shows(() => expect(toast()).toBe("Taken back: Added “Third”"));
  expect(await names()).toEqual(["newer", "old"]);
  expect((await todo.taskLabels.query()).map(({ task }) => task)).toEqual(["x"]);
});

test("a toast offers to take back what it tells of, and nothing later", async () => {
  await open();
  await add("First", "Second");
  await check("Done: First");
  await shows(() => expect(toast()).toContain("Done: “First”"));
  await add("Third");
  await shows(() => expect(titles()).toEqual(["Second", "Third"]));
  expect(toast()).toBe("");
  await click(/^Undo/);
  await shows(() => expect(titles()).toEqual(["Second"]));
});

test("arrow keys on a handle move its task, and say where it is", async () => {
  await open();
  await add("First", "Second", "Third");
  button("Move: First").focus();
  press("ArrowDown");
  await shows(() => expect(titles()).toEqual(["Second", "First", "Third"]));
  await shows(() => expect(spoken()).toBe("Moved “First”: 2 of 3"));
  button("Move: First").focus();
  press("ArrowUp");
  await shows(() => expect(titles()).toEqual(["First", "Second", "Third"]));
  // There is no further up.
  button("Move: First").focus();
  press("ArrowUp");
  button("Move: Third").focus();
  press("ArrowUp");
  await shows(() => expect(titles()).toEqual(["First", "Third", "Second"]));
  await edit("First");
  await click("Move down");
  await shows(() => expect(titles()).toEqual(["Third", "First", "Second"]));
});

test("two tasks in one place, as two devices may give it, can be parted", async () => {
  const { todo } = await open();
  for (const id of ["a", "b", "c"])
    await todo.tasks.insert({ id, title: id, done: false, order: 1 });
  await shows(() => expect(titles()).toEqual(["a", "b", "c"]));
  button("Move: c").focus();
  press("ArrowUp");
  await shows(() => expect(titles()).toEqual(["a", "c", "b"]));
});

test("moving in a project leaves the order of what it does not show", async () => {
  const { todo } = await open();
  await todo.projects.insert({ id: "p", name: "Garden", order: 1, isArchived: false });
  for (const [order, id] of ["a", "x", "b", "y", "c"].entries()) {
    const project = "xy".includes(id) ? null : "p";
    await todo.tasks.insert({ id, title: id, done: false, order, project });
  }
  await click(/^Garden/);
  await shows(() => expect(titles()).toEqual(["a", "b", "c"]));
  button("Move: c").focus();
  press("ArrowUp");
  await shows(() => expect(titles()).toEqual(["a", "c", "b"]));
  await click(/^All tasks/);
  await shows(() => expect(titles()).toEqual(["a", "c", "x", "b", "y"]));
});

test("single letters do nothing when they are switched off, on this device for good", async () => {
  const { end, disk } = await open();
  await add("Buy milk", "Call Ada");
  (document.activeElement as HTMLElement).blur();
  await click("Keys and settings");
  await check("Single letters, figures and signs are commands");
  await close();
  await end();
  await open({ disk });
  await shows(() => expect(titles()).toEqual(["Buy milk", "Call Ada"]));
  const title = row("Buy milk").querySelector(".title") as HTMLElement;
  for (const key of ["d", "e", "u", "2", "?", "n", "/", "j"]) {
    title.focus();
    press(key);
    expect(document.activeElement).toBe(title);
    expect(document.querySelector("dialog")).toBeNull();
  }
  title.focus();
  press("ArrowDown", { altKey: true });
  await shows(() => expect(titles()).toEqual(["Call Ada", "Buy milk"]));
  expect((await appears(() => field("New task"))).getAttribute("aria-keyshortcuts")).toBeNull();
  await click("Keys and settings");
  await check("Single letters, figures and signs are commands");
  await close();
  ((await appears(() => row("Call Ada"))).querySelector(".title") as HTMLElement).focus();
  press("d");
  await shows(() => expect(titles()).toEqual(["Buy milk"]));
});

test("another list is told to who does not see it", async () => {
  await open();
  await add("Buy milk today", "Call Ada");
  (document.activeElement as HTMLElement).blur();
  press("2");
  await shows(() => expect(spoken()).toBe("Today: 1 task"));
  expect(document.title).toBe("Today – Todo");
});

test("a key that is held takes one task, and goes on only through the list", async () => {
  await open();
  await add("First", "Second", "Third");
  ((await appears(() => row("First"))).querySelector(".title") as HTMLElement).focus();
  press("d");
  for (const key of ["d", "Delete", " ", "u", "n", "?"]) press(key, { repeat: true });
  await shows(() => expect(titles()).toEqual(["Second", "Third"]));
  await add("Fourth");
  expect(titles()).toEqual(["Second", "Third", "Fourth"]);
  expect(document.querySelector("dialog")).toBeNull();
  (row("Second").querySelector(".title") as HTMLElement).focus();
  press("j", { repeat: true });
  expect(document.activeElement).toBe(row("Third").querySelector(".title"));
  press("ArrowUp", { altKey: true, repeat: true });
  await shows(() => expect(titles()).toEqual(["Third", "Second", "Fourth"]));
});

test("a Space that is held is no press of the button under it", async () => {
  await open();
  await add("First");
  ((await appears(() => row("First"))).querySelector(".title") as HTMLElement).focus();
  const held = new KeyboardEvent("keydown", {
    key: " ",
    bubbles: true,
    cancelable: true,
    repeat: true,
  });
  expect(document.activeElement!.dispatchEvent(held)).toBe(false);
});

test("tapping what repeats twice does not leave out a time", async () => {
  const { todo } = await open();
  const [due, repeat] = ["2031-01-01", "FREQ=DAILY"];
  await todo.tasks.insert({ id: "k", title: "Water", done: false, order: 1, due, repeat });
  await check("Done: Water");
  await check("Done: Water");
  await shows(() => expect(toast()).toContain("comes again"));
  await add("Later");
  expect(await todo.tasks.get("k")).toMatchObject({ due: "2031-01-02" });
  // Also if the page follows faster than a finger.
  await shows(() => expect(textOf(row("Water"))).toContain("2"));
  const box = row("Water").querySelector("input")!;
  box.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, detail: 2 }));
  await add("Last");
  expect(await todo.tasks.get("k")).toMatchObject({ due: "2031-01-02" });
});

test("what is chosen in the editor is what is taken back, and nothing older", async () => {
  const { todo } = await open();
  await todo.labels.insert({ id: "label-phone", name: "phone" });
  await add("First", "Second");
  await check("Done: First");
  await shows(() => expect(titles()).toEqual(["Second"]));
  const id = (await todo.tasks.query({ filter: { title: "Second" } }))[0]!.id;
  const undone = async (what: string) => {
    await close();
    (document.activeElement as HTMLElement).blur();
    press("u");
    await shows(() => expect(toast()).toContain(`Taken back: ${what}`));
    expect((await todo.tasks.query({ filter: { title: "First" } }))[0]!.done).toBe(true);
  };
  await edit("Second");
  await enter("Due", "2031-11-11");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.due).toBe("2031-11-11"));
  await undone("Changed “Second”");
  expect((await todo.tasks.get(id))?.due ?? null).toBeNull();

  await edit("Second");
  await check("#phone");
  await stored(todo.taskLabels.live(), (all) => expect(all).toHaveLength(1));
  await undone("Given: #phone");
  expect(await todo.taskLabels.query()).toEqual([]);

  await edit("Second");
  await type("Notes", "Two");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two"));
  await enter("Notes", "Two litres");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe("Two litres"));
  await undone("Changed “Second”");
  expect((await todo.tasks.get(id))?.notes ?? null).toBeNull();

  await todo.reminders.insert({ id: "r", task: id, at: "2031-01-01T00:00:00Z", isSeen: false });
  await edit("Second");
  await click(/^Remove reminder of/);
  await stored(todo.reminders.live(), (all) => expect(all).toEqual([]));
  await undone("Removed reminder");
  expect(await todo.reminders.query()).toHaveLength(1);
});
