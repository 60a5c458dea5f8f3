/** The app's page on a disk in memory, without a browser: one page of one device at a time. */
import { flushSync, mount, unmount } from "svelte";
import { onTestFinished, vi } from "vitest";
import { SynclineError } from "@syncline/sdk";
import type { Live, Surroundings } from "@syncline/sdk";
import { Disk } from "../../../sdk/test/device";
import { shows } from "../../../sdk/test/bindings/page";
import { openTodo, type Todo } from "../../src/todo/open";
import Root from "../../src/ui/Root.svelte";

export { Disk, shows };

/** Where nobody listens. */
const NOWHERE = "http://127.0.0.1:1";

interface Given {
  disk?: Disk;
  account?: string | null;
  /** Where the hub is. */
  hub?: string;
  around?: Partial<Surroundings>;
  /** What the link says after `#`. */
  at?: string;
  /** What the browser has kept of the step beside its link. */
  step?: unknown;
  worker?: ServiceWorkerRegistration;
}

export interface Page {
  todo: Todo;
  disk: Disk;
  /** Ends it at once, as a browser ends a page. */
  end(): Promise<void>;
}

/** Opens the app. It begins with nothing, and is what `document` holds until it ends. */
export async function open({
  disk = new Disk(),
  account = null,
  hub = NOWHERE,
  around,
  at = "",
  step = null,
  worker,
}: Given = {}): Promise<Page> {
  // The hub is reached by WebSocket, or not at all.
  const fetch = () => Promise.reject(new TypeError("no network"));
  const surroundings = { ...disk.surroundings(), fetch, ...around };
  const todo = openTodo({ account, serverUrl: hub, begins: {}, surroundings });
  history.replaceState(step, "", `/#${at}`);
  const app = mount(Root, {
    target: document.body,
    props: { todo, worker: worker ? Promise.resolve(worker) : null },
  });
  let isOpen = true;
  const end = async () => {
    if (!isOpen) return;
    isOpen = false;
    await todo.store.close();
    await unmount(app);
  };
  onTestFinished(end);
  if (at === "") await shows(() => heading("All tasks"));
  await todo.store.ready();
  return { todo, disk, end };
}

/** Waits until what is stored makes `holds` no longer throw. */
export function stored<T>(live: Live<T>, holds: (result: T) => void): Promise<void> {
  return new Promise((resolve) => {
    const end = live.subscribe((result) => {
      try {
        holds(result);
      } catch {
        return;
      }
      resolve();
      queueMicrotask(() => end());
    });
  });
}

/** Has the store's next write fail, as one does on a device without room. */
export function failNext({ store }: Todo): void {
  vi.spyOn(store, "write").mockRejectedValueOnce(
    new SynclineError("quota", "the browser gives no more room"),
  );
}

/** What an element is called, by what assistive technology would go by. */
function nameOf(element: Element): string {
  const label = element.getAttribute("aria-label");
  if (label) return label;
  const labelled = element.getAttribute("aria-labelledby");
  if (labelled) return textOf(document.getElementById(labelled));
  const around = element.closest("label");
  if (around) {
    const copy = around.cloneNode(true) as Element;
    for (const field of copy.querySelectorAll("input, select, textarea")) field.remove();
    return textOf(copy);
  }
  return textOf(element);
}

export const textOf = (element: Element | null): string =>
  (element?.textContent ?? "").replace(/\s+/g, " ").trim();

/** Of what a modal dialog covers nothing is to be had. */
const scope = () => document.querySelector("dialog[open]") ?? document.body;

function find<E extends Element>(selector: string, name: string | RegExp): E {
  const found = [...scope().querySelectorAll<E>(selector)].find((one) => {
    const is = nameOf(one);
    return typeof name === "string" ? is === name : name.test(is);
  });
  if (!found) throw new Error(`there is no ${selector} called ${name}: ${textOf(scope())}`);
  return found;
}

export const button = (name: string | RegExp) =>
  find<HTMLButtonElement>("button, a.button, summary", name);
export const field = (name: string | RegExp) =>
  find<HTMLInputElement>("input, textarea, select", name);
export const dialog = (name: string) => {
  const found = document.querySelector("dialog[open]");
  if (!found || nameOf(found) !== name) throw new Error(`no dialog ${name}`);
  return found;
};
export function heading(name: string): void {
  find("h1, h2", name);
}
export const alerts = () => [...scope().querySelectorAll("[role=alert]")].map(textOf);

/** What the toast says. */
export const toast = () => textOf(document.querySelector("[aria-label='Last action']"));

/** Points at the toast, which stays until it is said again: a slow machine may take longer than it does. */
export const holdToast = () =>
  document.querySelector(".toast")!.dispatchEvent(new PointerEvent("pointerenter"));

/** The titles of the tasks that are shown. */
export const titles = () => [...document.querySelectorAll("main li .title .text")].map(textOf);

export const row = (title: string): Element => {
  const found = [...document.querySelectorAll("[data-task]")].find(
    (one) => textOf(one.querySelector(".text")) === title,
  );
  if (!found) throw new Error(`no row ${title}`);
  return found;
};

/** Waits for something to be there, and returns it. */
export async function appears<T>(look: () => T): Promise<T> {
  await shows(() => void look());
  return look();
}

export async function click(name: string | RegExp): Promise<void> {
  const found = await appears(() => button(name));
  found.focus();
  found.click();
  flushSync();
}

export async function check(name: string | RegExp): Promise<void> {
  (await appears(() => field(name))).click();
  flushSync();
}

/** Types into a field what is then in it, letter by letter as far as the page can tell. */
export async function type(name: string | RegExp, text: string): Promise<HTMLInputElement> {
  const found = await appears(() => field(name));
  found.focus();
  found.value = text;
  found.dispatchEvent(new Event("input", { bubbles: true }));
  flushSync();
  return found;
}

/** The same, and leaves the field. */
export async function enter(name: string | RegExp, text: string): Promise<void> {
  const found = await type(name, text);
  found.dispatchEvent(new Event("change", { bubbles: true }));
  found.blur();
  flushSync();
}

export async function choose(name: string, option: string): Promise<void> {
  const found = (await appears(() => field(name))) as unknown as HTMLSelectElement;
  const chosen = [...found.options].find(({ text }) => text === option);
  if (!chosen) throw new Error(`${option} is not to be chosen`);
  found.value = chosen.value;
  found.dispatchEvent(new Event("change", { bubbles: true }));
  flushSync();
}

export async function submit(name: string, text: string): Promise<void> {
  const found = await type(name, text);
  found.closest("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  flushSync();
}

export function press(key: string, more: Partial<KeyboardEventInit> = {}): void {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }),
  );
  flushSync();
}

/** Adds tasks by the field and waits until they are shown. */
export async function add(...texts: string[]): Promise<void> {
  for (const text of texts) {
    await submit("New task", text);
    await shows(() => {
      if (field("New task").value !== "") throw new Error("not yet");
    });
  }
}

/** Waits until `has` is true of what has the focus. */
export function focuses(has: (focused: Element) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!has(document.activeElement ?? document.body)) return;
      document.removeEventListener("focusin", look);
      resolve();
    };
    document.addEventListener("focusin", look);
    look();
  });
}

/** Opens a task in the editor. */
export async function edit(title: string): Promise<void> {
  const found = await appears(() => row(title));
  (found.querySelector(".title") as HTMLElement).click();
  flushSync();
  await appears(() => dialog("Edit task"));
}

/** Closes what is open. */
export async function close(): Promise<void> {
  await click("Close");
  await shows(() => {
    if (document.querySelector("dialog[open]")) throw new Error("still open");
  });
}
