/** Tasks that Todo did not write itself: a script's hold what the script knows of, and are used as all others. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { move, toggle } from "../../src/todo/edits";
import { nextDue } from "../../src/model/repeat";
import { scripted, signedIn } from "./accounts";
import {
  add,
  alerts,
  check,
  click,
  close,
  edit,
  enter,
  field,
  press,
  row,
  shows,
  submit,
  textOf,
  titles,
  toast,
} from "./page";

const NOON = new Date(2031, 10, 10, 12);
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: NOON }));
afterEach(() => void vi.useRealTimers());

/** What the README has a script write, and what one may write that takes a day for a moment. */
const TASKS = {
  bare: { title: "Bare", done: false },
  barer: { title: "Barer" },
  dated: { title: "Dated", done: false, due: "2026-11-24T10:00:00Z", repeat: "FREQ=MONTHLY" },
};

test("a task that a script wrote is shown, ticked, renamed, edited and moved, and others added", async () => {
  const { todo, user } = await signedIn();
  await scripted(user, TASKS);
  await shows(() => expect(titles()).toEqual(["Bare", "Barer", "Dated"]));
  expect(textOf(row("Dated"))).not.toContain("2026");

  await add("Mine");
  await add("Mine too");
  await shows(() => expect(titles()).toEqual(["Bare", "Barer", "Dated", "Mine", "Mine too"]));

  for (const title of ["Bare", "Barer", "Dated"]) {
    await edit(title);
    await enter("Title", `${title} no more`);
    await enter("Notes", "Said by hand");
    await close();
  }
  const renamed = ["Bare no more", "Barer no more", "Dated no more"];
  await shows(() => expect(titles()).toEqual([...renamed, "Mine", "Mine too"]));

  row("Bare no more").querySelector<HTMLElement>(".handle")!.focus();
  press("ArrowDown");
  await shows(() => expect(titles().slice(0, 2)).toEqual(["Barer no more", "Bare no more"]));
  press("ArrowUp");
  await shows(() => expect(titles().slice(0, 2)).toEqual(["Bare no more", "Barer no more"]));

  await check("Done: Bare no more");
  await check("Done: Barer no more");
  await shows(() => expect(titles()).toEqual(["Dated no more", "Mine", "Mine too"]));
  // One that repeats comes again, from today on: it had no day.
  await check("Done: Dated no more");
  await shows(() => expect(toast()).toContain("“Dated no more” comes again"));
  expect((await todo.tasks.get("dated"))?.due).toBe("2031-12-10");

  expect(alerts()).toEqual([]);
  await todo.store.caughtUp();
  expect(await todo.store.rejected.list()).toEqual([]);
  for (const { order } of await todo.tasks.query({ filter: (one) => one.order != null }))
    expect(Number.isFinite(order)).toBe(true);
});

test("what was done to it is taken back to what the script wrote", async () => {
  const { todo, user } = await signedIn();
  await scripted(user, TASKS);
  await shows(() => expect(titles()).toHaveLength(3));
  const all = await todo.tasks.query();
  const moved = await move({ ...todo, write: todo.write }, all, all, "dated", 0);
  await moved!.undo();
  const ticked = await toggle({ ...todo, write: todo.write }, all[2]!, "2031-11-10");
  await ticked!.undo();
  const { order, due } = (await todo.tasks.get("dated"))!;
  expect([order ?? null, due]).toEqual([null, TASKS.dated.due]);
});

test("a view shows such a task where one without a day belongs", async () => {
  const { user } = await signedIn();
  await scripted(user, TASKS);
  await shows(() => expect(titles()).toHaveLength(3));
  for (const view of [/^Today/, /^Upcoming/]) {
    await click(view);
    await shows(() => expect(titles()).toEqual([]));
  }
  await submit("New task", "Next one");
  await click(/^All tasks/);
  await edit("Dated");
  expect(field("Due").value).toBe("");
  await close();
});

test("the next day after what is no day ends", () => {
  for (const rule of ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY"])
    expect(nextDue(rule, "2026-11-24T10:00:00Z", "2031-11-10")).toBe(
      nextDue(rule, null, "2031-11-10"),
    );
});
