/** What the page is at: view, search, what is open, what was done last. Only this tab's. */
import { createContext, untrack } from "svelte";
import { todo, type Task } from "@syncline/apps/todo";
import { sayFault, type Loss } from "../model/faults";
import type { Place } from "../model/places";
import { isSame, madeIn, select, wentTo, type View } from "../model/views";
import type { Said } from "../model/words";
import { onExchange } from "../todo/account";
import { dropLeft, keepLeft, storeDrafts, type Draft, type Left } from "../todo/drafts";
import { actorOn, type Actor } from "../todo/acting";
import { add, move, remove, toggle, type Undoable } from "../todo/edits";
import { beginEra, eraOf, stayHere, type Era } from "../todo/era";
import { addProject } from "../todo/lists";
import type { Todo } from "../todo/open";
import { takeLetters, takesLetters } from "../todo/settings";
import { Data } from "./data.svelte";
import { isTouched } from "./focus";
import { leaveGone } from "./gone.svelte";
import { Updates } from "./updates.svelte";

export type Sheet =
  "sign-in" | "account" | "notifications" | "help" | "rejected" | "debug" | "lists" | "rename";

/** Whether what was done is told, or seen without that. */
type How = "told" | "seen";

/** What may be returned is called when it is done, where that is to be told. */
type Work = (actor: Actor) => Promise<(() => void) | void>;

type Act = (actor: Actor) => Promise<Undoable | null>;

/** How long a toast stays, in milliseconds, unless somebody is at it. */
const TOAST_MS = 8_000;

export class App {
  readonly data: Data;
  readonly updates = new Updates();
  view = $state.raw<View>({ is: "all" });
  search = $state("");
  sheet = $state<Sheet | null>(null);
  /** The id of the task that is edited. */
  editing = $state<string | null>(null);
  toast = $state.raw<{ text: string; undo: Undoable | null } | null>(null);
  /** What was done last that can be taken back. It stays until the next such act. */
  undoable = $state.raw<Undoable | null>(null);
  /** For who does not see what changed. */
  spoken = $state("");
  /** What became of what was kept here, until somebody has seen it. */
  loss = $state.raw<Loss | null>(null);
  /** What was typed and could not be stored. */
  unstored = $state.raw<readonly Left[]>([]);
  /** Whose data is shown. */
  era: Era;
  /** How many accounts were left here, or guests forgotten. */
  left = $state(0);
  /** How often the page had to leave a place that is gone: nobody goes back there. */
  corrections = $state(0);
  readonly shown = $derived.by(() => select(this.data.tasks, this.view, this.search, this.data));
  #takesLetters = $state(takesLetters());
  #toastEnds: ReturnType<typeof setTimeout> | undefined;
  /** What people do, until the last of it is stored. */
  #doing: Promise<unknown> = Promise.resolve();

  constructor(todo: Todo) {
    this.data = new Data(todo);
    this.era = $state.raw(eraOf(todo.openedFor));
    $effect(() =>
      todo.store.onStatus(({ error }) => {
        if (error?.lost) this.loss = error.lost;
        // It may be found again. Another error only hides it.
        else if (error === null) this.loss = null;
      }),
    );
    $effect(() => onExchange(todo, (account) => untrack(() => this.becomes(account))));
    leaveGone(this);
  }

  get todo(): Todo {
    return this.data.todo;
  }

  /** The app, as the hub knows it. */
  get name(): string {
    return todo.id;
  }

  /** Whether single letters are commands. */
  get takesLetters(): boolean {
    return this.#takesLetters;
  }

  set takesLetters(takes: boolean) {
    this.#takesLetters = takes;
    takeLetters(takes);
  }

  /** Whether something modal is open. */
  get isCovered(): boolean {
    return this.sheet !== null || this.editing !== null;
  }

  go(view: View): void {
    this.view = view;
    this.search = "";
    if (this.sheet === "lists") this.sheet = null;
  }

  /** Opens a task in the editor, whatever is open. */
  open(task: string): void {
    this.sheet = null;
    this.editing = task;
  }

  /** Where a link or the browser's Back leads. */
  arrive({ view, search, task }: Place, sheet: Sheet | null): void {
    if (!isSame(this.view, view)) this.view = view;
    this.search = search;
    this.editing = task;
    this.sheet = sheet !== null && this.#has(sheet) ? sheet : null;
  }

  /** Not where the browser's Forward leads to a sheet whose time is over. */
  #has(sheet: Sheet): boolean {
    const isGuest = this.todo.store.account === null;
    if (sheet === "sign-in") return isGuest;
    if (sheet === "account" || sheet === "notifications") return !isGuest;
    return sheet !== "rename" || this.data.nameOf(this.view) !== undefined;
  }

  /** Somebody signed in or out: what was done before is another's. Told again, it is nothing new. */
  becomes(account: string | null): void {
    const before = this.era.account;
    if (account === before) return;
    // Here or in another tab.
    const isForgotten = before === null && this.era.stay !== stayHere();
    this.era = beginEra(account);
    this.undoable = null;
    this.toast = null;
    this.spoken = "";
    this.sheet = null;
    if ("id" in this.view) this.view = { is: "all" };
    // What a guest is at goes along into the account.
    if (before !== null || isForgotten) {
      this.left++;
      this.unstored = [];
      this.editing = null;
    }
    if (before !== null) this.go({ is: "all" });
    void this.storeDrafts();
  }

  /** Stores what whose data is shown had typed before, and shows what cannot be. */
  storeDrafts(): Promise<boolean> {
    return this.attempt(async (actor) => {
      const left = await storeDrafts(actor, this.todo.store.account);
      return () => (this.unstored = left);
    });
  }

  /** Keeps what could not be stored and has no field any more, and shows it. `title`: of its task. */
  offer(draft: Draft, title: string | undefined): void {
    this.unstored = [...this.unstored, { key: keepLeft(draft), draft, title }];
  }

  /** Somebody has taken it, or does not want it. */
  dropUnstored(left: Left): void {
    dropLeft(left);
    this.unstored = this.unstored.filter((one) => one !== left);
  }

  say(text: string, undo: Undoable | null = null): void {
    this.toast = { text, undo };
    this.holdToast("let go");
  }

  /** A toast does not go while somebody points at it, or is in it. */
  holdToast(how: "held" | "let go"): void {
    clearTimeout(this.#toastEnds);
    if (how === "let go") this.#toastEnds = setTimeout(() => (this.toast = null), TOAST_MS);
  }

  /** Takes back what was done last, also what is still being done. */
  undo(): Promise<boolean> {
    return this.attempt(async () => {
      const last = this.undoable;
      if (!last) return () => this.say("There is nothing to take back.");
      const isPartly = (await last.undo()) === "partly";
      return () => {
        this.undoable = null;
        this.say(`Taken back${isPartly ? ", but for what was deleted since" : ""}: ${last.text}`);
      };
    });
  }

  /**
   * Runs what may fail, and what it returns for when it is done. One comes after the other: hands are
   * faster than what they change is stored and shown, so each goes by what is stored when its turn comes.
   * What was asked of an account that is left by then is neither done nor told: it is another's page.
   */
  inTurn(work: Work): Promise<void> {
    const actor = actorOn(this.todo, () =>
      untrack(() => ({ account: this.era.account, left: this.left, stay: stayHere() })),
    );
    const done = this.#doing.then(() => runAs(actor, work));
    this.#doing = done.catch(() => {});
    return done;
  }

  /** The same, and says what failed. True if nothing did. */
  attempt(work: Work): Promise<boolean> {
    return this.inTurn(work).then(
      () => true,
      (error: unknown) => {
        this.say(sayFault(error));
        return false;
      },
    );
  }

  /** What can be taken back, and is told unless it is seen. Errors: those of the work. */
  doing(work: Act, how: How = "told"): Promise<void> {
    return this.inTurn((actor) => this.#done(work(actor), how));
  }

  /** The same, and says what failed. */
  did(work: Act, how: How = "told"): Promise<boolean> {
    return this.attempt((actor) => this.#done(work(actor), how));
  }

  toggle(task: Task): Promise<boolean> {
    this.#leave(task.id);
    const today = this.data.look();
    return this.did((todo) => toggle(todo, task, today));
  }

  remove({ id }: Task): Promise<boolean> {
    this.#leave(id);
    return this.did((todo) => remove(todo, id));
  }

  /** Errors: those of the write. */
  add(said: Said): Promise<void> {
    const { view } = this;
    const today = this.data.look();
    const wanted = madeIn(view, said, today);
    // These show no new task.
    if (view.is === "done" || this.search) this.go({ is: "all" });
    return this.inTurn(async (todo) => {
      const done = await add(todo, wanted);
      return () => {
        this.#did(done, "seen");
        if (done.isAlone) {
          if (this.view === view) this.view = { is: "all" };
          this.say(`${done.text}: it is in All tasks, where it was to go is gone.`, done);
          return;
        }
        const other = wentTo(view, wanted.due, today);
        if (other) this.say(`${done.text}: it is in ${other.name}.`, done);
      };
    });
  }

  /** Adds a project and goes there. Errors: those of the write. */
  addProject(name: string): Promise<void> {
    return this.inTurn(async (todo) => {
      const done = await addProject(todo, name, (id) => {
        if (isSame(this.view, { is: "project", id })) this.go({ is: "all" });
      });
      return () => {
        this.#did(done, "seen");
        this.go({ is: "project", id: done.id });
      };
    });
  }

  /** Moves a task to `index` of the list that is shown. */
  move({ id }: Task, index: number): Promise<boolean> {
    return this.#move(id, () => index);
  }

  /** Moves a task up (-1) or down (1) in the list that is shown. */
  step({ id }: Task, by: -1 | 1): Promise<boolean> {
    return this.#move(id, (list) => list.findIndex((one) => one.id === id) + by);
  }

  /** Whether the order that is shown is the one that is moved. */
  get isOrdered(): boolean {
    return this.search.trim() === "" && ["all", "project", "label"].includes(this.view.is);
  }

  async #done(doing: Promise<Undoable | null>, how: How): Promise<() => void> {
    const done = await doing;
    return () => this.#did(done, how);
  }

  #did(done: Undoable | null, how: How): void {
    if (!done) return;
    this.undoable = done;
    if (how === "told") this.say(done.text, done);
    // A toast about what was done before is no longer true.
    else if (this.toast?.undo) this.toast = null;
  }

  #move(id: string, to: (list: readonly Task[]) => number): Promise<boolean> {
    // By its turn another list may be shown.
    const { view, search } = this;
    return this.attempt(async (todo) => {
      const all = await todo.tasks.query();
      const list = select(all, view, search, this.data);
      const index = Math.max(0, Math.min(to(list), list.length - 1));
      const done = await move(todo, all, list, id, index);
      return () => {
        if (!done) return;
        this.#did(done, "seen");
        this.spoken = `${done.text}: ${index + 1} of ${list.length}`;
      };
    });
  }

  /** The focus goes on in the list, when the task that has it is about to leave. */
  #leave(id: string): void {
    const at = this.shown.findIndex((one) => one.id === id);
    const next = this.shown[at + 1] ?? this.shown[at - 1];
    const row = document.getElementById(rowId(id));
    if (!row?.contains(document.activeElement)) return;
    // A list that moves under a finger has the next tap hit another task.
    if (next) focusTask(next.id, { preventScroll: isTouched() });
    else document.getElementById("view")?.focus();
  }
}

async function runAs(actor: Actor, work: Work): Promise<void> {
  if (!(await actor.isStill())) return;
  try {
    const tell = await work(actor);
    if (tell && (await actor.isStill())) tell();
  } catch (error) {
    if (await actor.isStill()) throw error;
  }
}

export const rowId = (id: string) => `task-${id}`;

export function focusTask(id: string, how?: FocusOptions): void {
  document.getElementById(rowId(id))?.querySelector<HTMLElement>(".title")?.focus(how);
}

export const [getApp, setApp] = createContext<App>();
