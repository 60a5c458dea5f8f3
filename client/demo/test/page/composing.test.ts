/** Keys that end a composition, as one writes Japanese with: they are the keyboard's, and nothing is done by them. */
import { expect, test } from "vitest";
import {
  add,
  appears,
  button,
  click,
  edit,
  enter,
  open,
  press,
  shows,
  stored,
  titles,
  type,
} from "./page";

/** As most browsers tell it, and as some do that say so only after it has ended. */
const WAYS: [string, KeyboardEventInit][] = [
  ["is composing", { isComposing: true }],
  ["has the code of one", { keyCode: 229 }],
];

test.each(WAYS)("Escape that %s clears no search, and leaves no field", async (_, how) => {
  await open();
  await add("Buy milk");
  const search = await type("Search tasks", "milk");
  press("Escape", how);
  expect([search.value, document.activeElement]).toEqual(["milk", search]);
  press("Escape");
  expect([search.value, document.activeElement]).toEqual(["", document.body]);
  const entry = await type("New task", "nihon");
  press("Escape", how);
  expect(document.activeElement).toBe(entry);
  press("Escape");
  expect(document.activeElement).toBe(document.body);
});

test.each(WAYS)("Enter that %s adds no label", async (_, how) => {
  const { todo } = await open();
  await add("Buy milk");
  await edit("Buy milk");
  await type("New label", "nihon");
  press("Enter", how);
  await enter("Notes", "Later");
  await stored(todo.tasks.live(), ([task]) => expect(task?.notes).toBe("Later"));
  expect(await todo.labels.query()).toEqual([]);
});

test.each(WAYS)("a key that %s is no command, moves nothing and ends no drag", async (_, how) => {
  const { todo } = await open();
  await add("First", "Second");
  const handle = await appears(() => button("Move: Second"));
  handle.focus();
  press("ArrowUp", how);
  press("d", how);
  const point = (kind: string, target: EventTarget, clientY: number) =>
    target.dispatchEvent(
      new PointerEvent(kind, { bubbles: true, cancelable: true, button: 0, pointerId: 1, clientY }),
    );
  point("pointerdown", handle, 0);
  press("Escape", how);
  expect(document.querySelector(".held")).not.toBeNull();
  press("Escape");
  expect(document.querySelector(".held")).toBeNull();
  await click("Move: First");
  await add("Third");
  await shows(() => expect(titles()).toEqual(["First", "Second", "Third"]));
  expect(await todo.tasks.count()).toBe(3);
});
