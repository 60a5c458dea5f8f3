/**
 * The written script: twelve tasks that a person does with the app. It is carried out by keyboard
 * alone and by touch; both end with the same records at the hub.
 */
export const SCRIPT = [
  "add a task",
  "add an important task for tomorrow with a label",
  "tick a task off, and take it back",
  "write notes",
  "set a due date",
  "have it repeat, and do it once",
  "give it a new label",
  "make a project and put the task into it",
  "set a reminder",
  "put a task before another",
  "find a task",
  "delete a task, take that back, and sign in",
] as const;

export type Step = (typeof SCRIPT)[number];

/** The day that is set, and the one a week later. Read the same as day or month first. */
export const DUE = "2031-11-11";
export const DUE_AGAIN = "2031-11-18";

/** What the hub holds in the end, as far as the script says. */
export function outcome(held: Record<string, unknown>): Record<string, unknown> {
  const of = (table: string) =>
    Object.entries(held).flatMap(([key, data]) =>
      key.startsWith(`${table}/`)
        ? [{ id: key.slice(table.length + 1), ...(data as Record<string, unknown>) }]
        : [],
    ) as Record<string, unknown>[];
  const name = (table: string, id: unknown) => of(table).find((one) => one["id"] === id)?.["name"];
  const task = (title: string) => {
    const found = of("tasks").find((one) => one["title"] === title);
    if (!found) return undefined;
    const { id, done, due, repeat, priority, notes, project } = found;
    const labels = of("taskLabels").filter((one) => one["task"] === id);
    return {
      done,
      due: title === "Buy milk" ? due : typeof due,
      repeat: repeat ?? null,
      priority: priority ?? null,
      notes: notes ?? null,
      project: name("projects", project) ?? null,
      labels: labels.map((one) => name("labels", one["label"])),
      reminders: of("reminders").filter((one) => one["task"] === id).length,
    };
  };
  const order = (title: string) =>
    Number(of("tasks").find((one) => one["title"] === title)?.["order"]);
  return {
    milk: task("Buy milk"),
    ada: task("Call Ada"),
    isAdaFirst: order("Call Ada") < order("Buy milk"),
  };
}

export const EXPECTED = {
  milk: {
    done: false,
    due: DUE_AGAIN,
    repeat: "FREQ=WEEKLY",
    priority: null,
    notes: "Two litres",
    project: "Household",
    labels: ["shop"],
    reminders: 1,
  },
  ada: {
    done: false,
    due: "string",
    repeat: null,
    priority: "high",
    notes: null,
    project: null,
    labels: ["phone"],
    reminders: 0,
  },
  isAdaFirst: true,
};
