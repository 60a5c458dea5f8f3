/** What counts as a guest's own. */
import { expect, test } from "vitest";
import { ownOf, type Held } from "../src/todo/own";
import { seeds } from "../src/todo/seeds";

const begun: Held = { ...seeds, reminders: [] };
const firstIs = (change: object): Held => ({
  ...begun,
  tasks: seeds.tasks.map((task, at) => (at === 0 ? { ...task, ...change } : task)),
});

test("what a guest begins with is not its own, nor what it deleted of that", () => {
  expect(ownOf(begun)).toEqual({ count: 0, words: "" });
  expect(ownOf(firstIs({ notes: null, doneAt: null })).count).toBe(0);
  expect(ownOf({ ...begun, tasks: [], taskLabels: [] }).count).toBe(0);
});

test.each([{ done: true }, { notes: "Mine" }, { title: "Mine" }, { due: "2031-01-01" }])(
  "a task of the beginning that was changed is: %j",
  (change) => {
    expect(ownOf(firstIs(change))).toEqual({ count: 1, words: "1 task" });
  },
);

test("every kind of record is counted and named", () => {
  const reminder = { task: "seed-1", at: "2031-01-01T00:00:00.000Z", isSeen: false };
  const own = ownOf({
    tasks: [...seeds.tasks, { id: "t", title: "Mine", done: false, order: 9 }],
    projects: [{ ...seeds.projects[0]!, name: "House" }],
    labels: [...seeds.labels, { id: "l1", name: "phone" }, { id: "l2", name: "shop" }],
    taskLabels: [
      ...seeds.taskLabels,
      { id: "t l1", task: "t", label: "l1" },
      { id: "seed-1 l1", task: "seed-1", label: "l1" },
    ],
    reminders: [1, 2].map((n) => ({ ...reminder, id: `r${n}` })),
  });
  const words = "1 task, 1 project, 2 labels, 1 label of a task, 2 reminders";
  expect(own).toEqual({ count: 7, words });
});
