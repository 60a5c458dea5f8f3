/** What a guest begins with: a few tasks that say what can be done. Fixed ids, so that no device doubles them. */
import type { Label, Project, Task, TaskLabel } from "@syncline/apps/todo";
import { given } from "./lists";

const PROJECT = "seed-home";

const task = (n: number, title: string, more: Partial<Task> = {}): Task => ({
  id: `seed-${n}`,
  title,
  done: false,
  order: n,
  ...more,
});

export const seeds = {
  tasks: [
    task(1, "Tick me off: tap the circle, or press Space"),
    task(2, "Add a task, such as “Call Ada tomorrow #phone” (key n)"),
    task(3, "Open a task (key e): notes, dates, reminders, repeats", {
      notes:
        "What you type is saved as you type it.\n\nTwo devices may edit one task at once: both edits are kept.",
    }),
    task(4, "Drag the handle to put what matters first", { priority: "high" }),
    task(5, "Water the plants", { repeat: "FREQ=WEEKLY", project: PROJECT }),
    task(6, "Go offline and write on; sign in to have it all on your other devices"),
  ] satisfies Task[],
  projects: [{ id: PROJECT, name: "Home", order: 1, isArchived: false }] satisfies Project[],
  labels: [{ id: "seed-green", name: "green" }] satisfies Label[],
  taskLabels: [given("seed-5", "seed-green")] satisfies TaskLabel[],
};
