/** What the app shows, from live queries: it changes when any device changes it. */
import { live } from "@syncline/sdk/svelte";
import type { Label, Project, Reminder, Task, TaskLabel } from "@syncline/apps/todo";
import { dayOf, type Day } from "../model/days";
import { inOrder } from "../model/order";
import { readTask } from "../model/read";
import { countsOf, type View } from "../model/views";
import type { Todo } from "../todo/open";

/** How often the day is looked at. */
const DAY_MS = 30_000;

export class Data {
  readonly todo: Todo;
  readonly #tasks;
  readonly #projects;
  readonly #labels;
  readonly #given;
  readonly #reminders;
  today = $state(dayOf(new Date()));
  readonly #labelsOf = $derived.by(() => {
    const names = new Map(this.labels.map((label) => [label.id, label]));
    const found = new Map<string, Label[]>();
    for (const { task, label } of this.taskLabels) {
      const known = names.get(label);
      const there = found.get(task) ?? [];
      // Two records may give it the same.
      if (known && !there.includes(known)) found.set(task, [...there, known]);
    }
    return found;
  });
  readonly #remindersOf = $derived.by(() => {
    const found = new Map<string, Reminder[]>();
    for (const one of this.reminders) found.set(one.task, [...(found.get(one.task) ?? []), one]);
    return found;
  });
  readonly #read = $derived.by(() => (this.#tasks.current ?? []).map(readTask));
  /** How many tasks each view shows. */
  readonly counts = $derived.by(() => countsOf(this.tasks, this));
  readonly #allProjects = $derived.by(() => inOrder(this.#projects.current ?? []));
  readonly #projectsById = $derived(new Map(this.#allProjects.map((one) => [one.id, one])));

  constructor(todo: Todo) {
    this.todo = todo;
    this.#tasks = live(() => todo.tasks.live());
    this.#projects = live(() => todo.projects.live());
    this.#labels = live(() => todo.labels.live({ sort: "name" }));
    this.#given = live(() => todo.taskLabels.live());
    this.#reminders = live(() => todo.reminders.live({ sort: "at" }));
    $effect(() => {
      const look = () => void this.look();
      const looking = setInterval(look, DAY_MS);
      // Timers stand still while a device sleeps.
      document.addEventListener("visibilitychange", look);
      return () => {
        clearInterval(looking);
        document.removeEventListener("visibilitychange", look);
      };
    });
  }

  /** The day it is now, which is shown from now on. */
  look(): Day {
    return (this.today = dayOf(new Date()));
  }

  /** Whether the device's data has been read. */
  get isThere(): boolean {
    return this.#tasks.current !== undefined;
  }

  get tasks(): Task[] {
    return this.#read;
  }

  get projects(): Project[] {
    return this.#allProjects.filter(({ isArchived }) => !isArchived);
  }

  get archived(): Project[] {
    return this.#allProjects.filter(({ isArchived }) => isArchived);
  }

  get labels(): Label[] {
    return this.#labels.current ?? [];
  }

  /** The records that give tasks their labels. */
  get taskLabels(): TaskLabel[] {
    return this.#given.current ?? [];
  }

  get reminders(): Reminder[] {
    return this.#reminders.current ?? [];
  }

  /** What the project or label of a view is called; `undefined` if there is none, or not any more. */
  readonly nameOf = (view: View): string | undefined => {
    if (view.is === "project") {
      const found = this.#projectsById.get(view.id);
      return found && `“${found.name}”`;
    }
    const found = view.is === "label" && this.labels.find(({ id }) => id === view.id);
    return found ? `#${found.name}` : undefined;
  };

  readonly labelsOf = (task: Task) => this.#labelsOf.get(task.id) ?? [];
  readonly projectOf = (task: Task) => this.#projectsById.get(task.project ?? "");
  readonly remindersOf = (task: Task) => this.#remindersOf.get(task.id) ?? [];
}
