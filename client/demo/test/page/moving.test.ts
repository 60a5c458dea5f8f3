/** Moving tasks while keys lead elsewhere: it is done in the list in which it was asked, or not at all. */
import { expect, test } from "vitest";
import { add, appears, button, click, open, press, shows, submit, titles } from "./page";

const point = (type: string, target: EventTarget, clientY: number) =>
  target.dispatchEvent(
    new PointerEvent(type, { bubbles: true, cancelable: true, button: 0, pointerId: 1, clientY }),
  );

test("a task that is dragged stays where it is when a key led to a list without an order meanwhile", async () => {
  const { todo } = await open();
  await add("First today", "Second today");
  const handle = await appears(() => button("Move: First"));
  const orders = async () => (await todo.tasks.query()).map(({ order }) => order).sort();
  const before = await orders();
  point("pointerdown", handle, 0);
  point("pointermove", window, 100);
  (document.activeElement as HTMLElement).blur();
  press("2");
  await shows(() => expect(document.querySelector("h1")!.textContent).toBe("Today"));
  point("pointerup", window, 100);
  await add("Third");
  expect((await orders()).slice(0, 2)).toEqual(before);
});

test("a task that is dragged stays where it is when a key led to another list meanwhile", async () => {
  const { todo } = await open();
  await add("a", "b", "c");
  await submit("New project", "Garden");
  await shows(() => expect(document.querySelector("h1")!.textContent).toBe("Garden"));
  await add("d", "e");
  const handle = await appears(() => button("Move: d"));
  point("pointerdown", handle, 0);
  point("pointermove", window, 100);
  await shows(() => expect(titles()).toEqual(["e", "d"]));
  (document.activeElement as HTMLElement).blur();
  press("1");
  await shows(() => expect(titles()).toEqual(["a", "b", "c", "d", "e"]));
  expect(document.querySelector(".held")).toBeNull();
  point("pointermove", window, 50);
  point("pointerup", window, 50);
  await add("f");
  expect(titles().slice(0, 5)).toEqual(["a", "b", "c", "d", "e"]);
  expect((await todo.tasks.query()).map(({ order }) => order).sort()).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a task is moved in the list in which that was asked, whatever is shown by then", async () => {
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => expect(document.querySelector("h1")!.textContent).toBe("Garden"));
  await add("a");
  await click(/^All tasks/);
  await add("b");
  await click(/^Garden/);
  await add("c");
  await shows(() => expect(titles()).toEqual(["a", "c"]));
  button("Move: c").focus();
  press("ArrowUp");
  // Before it is its turn.
  press("1");
  await add("d");
  await shows(() => expect(titles()).toEqual(["c", "a", "b", "d"]));
  expect(await todo.tasks.count()).toBe(4);
});
