/** What a service worker does with what it is pushed: its own code, in surroundings of the test's. */
import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test, vi } from "vitest";
import { keepRegistered, registered } from "../../src/notifications/kept";
import {
  claim,
  onNotificationClick,
  onPush,
  onPushSubscriptionChange,
} from "../../src/notifications/worker";

const HOME = "https://todo.example.com/app/";
const KEY = "reminders/r1@1795514400000";
const PAYLOAD = {
  v: 1,
  id: "1795514400000-0123456789abcdef",
  app: "todo",
  kind: "reminder",
  title: "Buy milk",
  body: "Now",
  language: "de",
  at: "2026-11-24T10:00:00.000Z",
  late: false,
  items: [{ key: KEY, table: "reminders", id: "r1", task: "k1" }],
  more: 0,
};

interface Shown {
  title: string;
  tag?: string;
  silent?: boolean;
  renotify?: boolean;
  data?: unknown;
}

class Page {
  focused = false;
  isFocused = false;
  heard: unknown[] = [];
  constructor(readonly url: string) {}
  async focus() {
    this.isFocused = true;
  }
  postMessage(message: unknown) {
    this.heard.push(message);
  }
}

let shown: Shown[];
let there: Map<string, Shown>;
let pages: Page[];
let opened: string[];
beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  [shown, there, pages, opened] = [[], new Map(), [], []];
  const registration = {
    scope: HOME,
    showNotification: async (title: string, look: object) => {
      const one: Shown = { title, ...look };
      // As browsers have it.
      if (one.renotify && (!one.tag || one.silent)) throw new TypeError("renotify");
      shown.push(one);
      there.set(one.tag ?? "", one);
    },
    getNotifications: async () => [...there.values()],
  };
  const clients = {
    matchAll: async () => pages,
    openWindow: async (url: string) => void opened.push(url),
  };
  vi.stubGlobal("self", { registration, clients });
  return () => void vi.unstubAllGlobals();
});

/** Has it happen, and waits for what the worker does then. */
async function happens<E>(handler: (event: never) => void, event: E): Promise<void> {
  let work: Promise<unknown> = Promise.resolve();
  handler({ ...event, waitUntil: (one: Promise<unknown>) => void (work = one) } as never);
  await work;
}

const push = (payload: unknown, look = {}) => {
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  return happens((event) => onPush(event, look), { data: { text: () => text } });
};

test("a push is shown as it says, with what is needed to open it", async () => {
  await push(PAYLOAD, { icon: "./icon.svg" });
  const { id, app, kind, items } = PAYLOAD;
  expect(shown).toEqual([
    {
      title: "Buy milk",
      body: "Now",
      lang: "de",
      icon: "./icon.svg",
      tag: id,
      data: { id, app, kind, items },
      timestamp: Date.parse(PAYLOAD.at),
      silent: false,
      renotify: true,
    },
  ]);
});

test("the same push again takes the place of what is shown, without a sound", async () => {
  for (let times = 0; times < 3; times++) await push(PAYLOAD);
  expect(shown.map(({ silent, renotify }) => [silent, renotify])).toEqual([
    [false, true],
    [true, false],
    [true, false],
  ]);
  expect([...there.keys()]).toEqual([PAYLOAD.id]);
});

test("what a page has told of takes its place there, without a sound", async () => {
  await claim("todo", [KEY]);
  there.set("r1", { title: "Todo", tag: "r1", data: { items: [{ key: KEY }] } });
  await push(PAYLOAD);
  expect([...there.keys()]).toEqual(["r1"]);
  expect(shown).toMatchObject([{ title: "Buy milk", tag: "r1", silent: true, renotify: false }]);
});

test("a push that comes twice at once is told once", async () => {
  await Promise.all([push(PAYLOAD), push(PAYLOAD)]);
  expect(shown.map(({ silent }) => silent).sort()).toEqual([false, true]);
});

test("what was told in part is shown for the rest of it", async () => {
  await claim("todo", [KEY]);
  const [item] = PAYLOAD.items;
  const more = { ...PAYLOAD, items: [item, { ...item, key: "reminders/r2@1795514400000" }] };
  await push(more);
  expect(shown).toMatchObject([{ silent: false }]);
});

test.each([
  ["nothing", null],
  ["no JSON", "{"],
  ["another version", { ...PAYLOAD, v: 2 }],
])("%s is shown as something that cannot be read, and said", async (_, payload) => {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
  if (payload === null) await happens(onPush, { data: null });
  else await push(payload, { unreadable: { title: "Todo", body: "Something" } });
  expect(shown).toHaveLength(1);
  expect(shown[0]).toMatchObject(
    payload === null ? { title: "Something is new" } : { title: "Todo", body: "Something" },
  );
  expect(warned).toHaveBeenCalledTimes(1);
  warned.mockRestore();
});

const tapped = (data: unknown) => {
  const close = vi.fn();
  return { notification: { data, close }, close };
};

test("what is tapped leads to the page that has the focus, or to any of the app's", async () => {
  const elsewhere = new Page("https://todo.example.com/");
  pages = [elsewhere, new Page(`${HOME}#/a`), new Page(`${HOME}#/b`)];
  pages[2]!.focused = true;
  const { notification, close } = tapped({ id: "n1" });
  await happens(onNotificationClick, { notification });
  expect(close).toHaveBeenCalledTimes(1);
  expect(pages.map(({ isFocused }) => isFocused)).toEqual([false, false, true]);
  expect(pages[2]!.heard).toEqual([{ syncline: "notification-click", data: { id: "n1" } }]);
  pages[2]!.focused = false;
  await happens(onNotificationClick, { notification });
  expect(pages[1]!.heard.length).toBe(1);
  expect([elsewhere.heard, opened]).toEqual([[], []]);
});

test("what is tapped opens the app where no page of it is open, as the app says", async () => {
  const { notification } = tapped(null);
  await happens(onNotificationClick, { notification });
  const leads = { url: ({ id }: { id?: string }) => `${HOME}#/${id}`, isApp: () => false };
  pages = [new Page(HOME)];
  const { notification: other } = tapped({ id: "n1" });
  await happens((event) => onNotificationClick(event, leads), { notification: other });
  expect(opened).toEqual([HOME, `${HOME}#/n1`]);
  const says = (message: unknown) => ({ message: () => message });
  for (const message of [null, undefined, { open: "k1" }])
    await happens((event) => onNotificationClick(event, says(message)), { notification });
  expect(pages[0]!.heard).toEqual([{ open: "k1" }]);
});

test("a subscription that is given up is renewed by an open page, or the next one", async () => {
  const row = { app: "todo", device: "d1", endpoint: "https://push.example.com/1", isStale: false };
  await keepRegistered(row);
  pages = [new Page(HOME)];
  await happens(onPushSubscriptionChange, {});
  expect(pages[0]!.heard).toEqual([{ syncline: "push-renew" }]);
  expect(await registered("todo")).toEqual({ ...row, isStale: true });
});
