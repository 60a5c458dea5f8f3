import { app, table, type RecordOf } from "./app";
import { choice, flag, maybe, moment, number, reference, text } from "./fields";

/** A script may leave out, or write in its own way, whatever a task can be shown and edited without. */
export const todo = app("todo", {
  tasks: table(
    {
      title: text,
      notes: maybe(text),
      done: maybe(flag),
      /** A moment; anything else is none. */
      doneAt: maybe(text),
      /** A day of the calendar, `2026-11-24`; anything else is none. */
      due: maybe(text),
      /** An RRULE of RFC 5545: `FREQ=WEEKLY;INTERVAL=2`. A task that is done then comes again. */
      repeat: maybe(text),
      priority: maybe(choice("low", "medium", "high")),
      project: maybe(reference("projects")),
      /** Its place in its list: between those of its neighbours. None is 0. */
      order: maybe(number),
    },
    ["project", "due"],
  ),
  projects: table({ name: text, order: maybe(number), isArchived: maybe(flag) }),
  labels: table({ name: text }),
  /** One record a label of a task, so that labels given on two devices are both kept. */
  taskLabels: table({ task: reference("tasks"), label: reference("labels") }, ["task", "label"]),
  reminders: table({ task: reference("tasks"), at: moment, isSeen: maybe(flag) }, ["task"]),
});

export type Task = RecordOf<typeof todo.tables.tasks>;
export type Project = RecordOf<typeof todo.tables.projects>;
export type Label = RecordOf<typeof todo.tables.labels>;
export type TaskLabel = RecordOf<typeof todo.tables.taskLabels>;
export type Reminder = RecordOf<typeof todo.tables.reminders>;
