/** The service worker as it is built, in surroundings of the test's. */
import { runInNewContext } from "node:vm";
import { beforeAll, expect, test } from "vitest";
import { workerSource } from "../offline";

let source: string;
beforeAll(async () => {
  source = await workerSource();
});
const HOME = "http://hub.test/";

class Client {
  focused = false;
  isFocused = false;
  heard: unknown[] = [];
  constructor(
    readonly id: string,
    readonly url: string,
  ) {}
  async focus() {
    this.isFocused = true;
  }
  postMessage(message: unknown) {
    this.heard.push(message);
  }
}

/** A browser with these pages and caches. */
function browser(open: Client[], kept: Record<string, Map<string, Response>> = {}) {
  const listeners = new Map<string, (event: unknown) => void>();
  const opened: string[] = [];
  let skips = 0;
  const cacheOf = (name: string) => {
    const files = (kept[name] ??= new Map());
    return {
      addAll: async (paths: string[]) => paths.forEach((path) => files.set(path, new Response())),
      put: async (path: string, answer: Response) => void files.set(path, answer),
      match: async (path: string) => files.get(path)?.clone(),
    };
  };
  const registration = { active: {}, installing: null as unknown, waiting: null as unknown };
  const clients = {
    matchAll: async () => open,
    openWindow: async (url: string) => void opened.push(url),
    claim: async () => {},
  };
  const self = {
    clients,
    location: new URL("service-worker.js", HOME),
    registration,
    addEventListener: (type: string, call: (event: unknown) => void) => listeners.set(type, call),
    skipWaiting: async () => void skips++,
  };
  const caches = {
    open: async (name: string) => cacheOf(name),
    keys: async () => Object.keys(kept),
    delete: async (name: string) => delete kept[name],
    match: async (path: string) =>
      Object.values(kept)
        .map((files) => files.get(path)?.clone())
        .find(Boolean),
  };
  const fetch = async () => new Response("of the hub");
  const head = `const VERSION = "new"; const FILES = ["index.html", "assets/new.js"];\n`;
  runInNewContext(head + source, { self, clients, caches, fetch, URL, Response });
  /** Has it happen, and waits for what the worker does then. */
  const happens = async (type: string, event: object = {}) => {
    let work: Promise<unknown> = Promise.resolve();
    const hold = (one: Promise<unknown>) => void (work = one);
    listeners.get(type)!({ ...event, waitUntil: hold, respondWith: hold });
    return work;
  };
  const asks = (path: string, method = "GET") =>
    happens("fetch", { request: { method, url: new URL(path, HOME).href } }) as Promise<
      Response | undefined
    >;
  return { happens, asks, opened, kept, registration, skips: () => skips };
}

const tapped = (task?: string) => {
  const notification = { isClosed: false, data: task ? { task } : null, close: () => {} };
  notification.close = () => void (notification.isClosed = true);
  return notification;
};

test("a reminder that is tapped opens its task where the app is open, and closes", async () => {
  const two = new Client("two", `${HOME}two-devices.html`);
  const first = new Client("first", `${HOME}#/today`);
  const second = new Client("second", `${HOME}index.html`);
  second.focused = true;
  const { happens, opened } = browser([two, first, second]);
  const notification = tapped("t 1");
  await happens("notificationclick", { notification });
  expect(notification.isClosed).toBe(true);
  expect([two, first, second].map(({ isFocused }) => isFocused)).toEqual([false, false, true]);
  expect(second.heard).toEqual([{ open: "t 1" }]);
  expect(opened).toEqual([]);
  second.focused = false;
  await happens("notificationclick", { notification: tapped("t 2") });
  expect(first.heard).toEqual([{ open: "t 2" }]);
});

test("a reminder that is tapped opens the app at its task where it is not open", async () => {
  const { happens, opened } = browser([new Client("two", `${HOME}two-devices.html`)]);
  await happens("notificationclick", { notification: tapped("t/1") });
  // Of a version that did not say which task.
  await happens("notificationclick", { notification: tapped() });
  expect(opened).toEqual([`${HOME}#/all?task=t%2F1`, HOME]);
});

test("a notification of the hub opens its task, and one about several the app", async () => {
  const page = new Client("page", HOME);
  const open = [page];
  const { happens, opened } = browser(open);
  const of = (...tasks: (string | null)[]) => {
    const notification = tapped();
    return Object.assign(notification, { data: { items: tasks.map((task) => ({ task })) } });
  };
  await happens("notificationclick", { notification: of("t1") });
  await happens("notificationclick", { notification: of("t1", "t2") });
  expect([page.isFocused, page.heard]).toEqual([true, [{ open: "t1" }]]);
  open.pop();
  for (const tasks of [["t1"], ["t1", "t2"], [null]])
    await happens("notificationclick", { notification: of(...tasks) });
  expect(opened).toEqual([`${HOME}#/all?task=t1`, HOME, HOME]);
});

test("a version takes over when it is told to, and not before", async () => {
  const { happens, skips } = browser([]);
  await happens("install");
  await happens("message", { data: "started" });
  expect(skips()).toBe(0);
  await happens("message", { data: "take over" });
  expect(skips()).toBe(1);
});

test("what a former version kept goes with its last page, and nothing of others", async () => {
  const old = new Client("old", HOME);
  const open = [old];
  const { happens, asks, kept, registration } = browser(open, {
    "todo-old": new Map([["/assets/old.js", new Response("of the old one")]]),
    "somebody-else": new Map(),
  });
  await happens("install");
  await happens("activate");
  expect(Object.keys(kept)).toContain("todo-old");
  expect(await (await asks("/assets/old.js"))!.text()).toBe("of the old one");
  expect(await (await asks("/assets/none.js"))!.text()).toBe("of the hub");
  open.splice(0, 1, new Client("new", HOME));
  // What a still newer version has begun to keep is not a former one's.
  registration.installing = {};
  kept["todo-newer"] = new Map();
  await happens("message", { data: "started" });
  expect(Object.keys(kept)).toContain("todo-newer");
  registration.installing = null;
  delete kept["todo-newer"];
  await happens("message", { data: "started" });
  expect(Object.keys(kept).sort()).toEqual(["somebody-else", "todo-new"]);
});

test("what goes to the hub is left alone", async () => {
  const { happens, asks } = browser([]);
  await happens("install");
  expect(await asks("/v1/todo/sync")).toBeUndefined();
  expect(await asks("/", "POST")).toBeUndefined();
  expect(await asks("http://elsewhere.test/")).toBeUndefined();
  expect(await asks("/index.html")).toBeInstanceOf(Response);
});
