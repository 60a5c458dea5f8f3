/** Being told: the panel against a server of the hub's answers, and what the page shows of what it is told. */
import { request } from "node:http";
import { IDBFactory } from "fake-indexeddb";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { NotificationRecord } from "@syncline/sdk/notifications";
import { until } from "../../../sdk/test/eventually";
import { NotificationServer } from "../../../sdk/test/notifications/server";
import type { Todo } from "../../src/todo/open";
import {
  alerts,
  appears,
  button,
  click,
  dialog,
  enter,
  field,
  open,
  shows,
  textOf,
  toast,
} from "./page";

const KEY = Buffer.alloc(65, 4).toString("base64url");

let server: NotificationServer;
let users = 0;
let user: string;
beforeAll(async () => {
  server = await NotificationServer.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  server.publicKey = KEY;
  user = `user-${++users}`;
  // The page's own origin, which here is nowhere, gives the tokens: the users' names.
  vi.stubGlobal("fetch", (url: string, init: RequestInit = {}) =>
    url === "/dev/token"
      ? Promise.resolve(new Response(JSON.stringify({ token: userOf(init) })))
      : asks(url, init),
  );
});

const userOf = ({ body }: RequestInit) => (JSON.parse(body as string) as { user: string }).user;

/** As another origin than the page's is asked, which the test's browser would not let it be. */
function asks(url: string, { method, headers, body }: RequestInit): Promise<Response> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers: headers as Record<string, string> }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () =>
        resolve(new Response(text === "" ? null : text, { status: answer.statusCode })),
      );
    });
    asked.on("error", (error) => reject(new TypeError(String(error))));
    asked.end(body as string | undefined);
  });
}

/** A service worker's registration, with a push manager that gives one subscription. */
function worker(permission: NotificationPermission = "granted") {
  const shown: { title: string; tag?: string }[] = [];
  let current: object | null = null;
  const endpoint = `https://push.example.com/${user}`;
  const subscription = {
    endpoint,
    options: {},
    toJSON: () => ({ endpoint, keys: { p256dh: "p", auth: "a" } }),
    unsubscribe: async () => void (current = null),
  };
  const registration = {
    pushManager: {
      getSubscription: async () => current,
      subscribe: async () => (current = subscription),
    },
    showNotification: async (title: string, look: object) => void shown.push({ title, ...look }),
    getNotifications: async () => [],
    update: async () => {},
    addEventListener: () => {},
  } as unknown as ServiceWorkerRegistration;
  vi.stubGlobal("Notification", { permission, requestPermission: async () => permission });
  const container = Object.assign(new EventTarget(), {
    ready: Promise.resolve(registration),
    getRegistration: async () => registration,
    controller: null,
  });
  Object.defineProperty(navigator, "serviceWorker", { value: container, configurable: true });
  return { registration, shown, isSubscribed: () => current !== null };
}

async function panel(given: Parameters<typeof open>[0] = {}) {
  const page = await open({ account: user, hub: server.url, ...given });
  await click(/^Account/);
  await click("Notifications");
  await appears(() => dialog("Notifications"));
  return page;
}

const says = (words: string) =>
  shows(() => expect(textOf(document.querySelector("dialog[open]"))).toContain(words));

/** Waits until what was pressed is done, and what is so after it has been looked at. */
const isIdle = (name: string) =>
  shows(() => expect(button(name).getAttribute("aria-disabled")).toBe("false"));

const devicesThere = () => [...server.of(user).devices.values()].map(({ name }) => name);

test("a device is told while Todo is closed once somebody says so, until it is forgotten", async () => {
  const { registration, isSubscribed } = worker();
  await panel({ worker: registration });
  await says("None is told while Todo is closed.");
  await click("Tell me also while Todo is closed");
  await says("This device is told what is due, also while Todo is closed.");
  const [name] = devicesThere();
  expect(name).toMatch(/^Todo on /);
  await says(`${name} (this one)`);
  expect(isSubscribed()).toBe(true);
  await click("Tell me only while Todo is open");
  await says("This device is told what is due while Todo is open.");
  expect([devicesThere(), isSubscribed()]).toEqual([[], false]);

  await click("Tell me also while Todo is closed");
  await click(`Forget ${name}`);
  await says("This device is told what is due while Todo is open.");
  expect([devicesThere(), isSubscribed()]).toEqual([[], false]);
});

test("a device that another one has had forgotten says so", async () => {
  const { registration } = worker();
  await panel({ worker: registration });
  await click("Tell me also while Todo is closed");
  await says("(this one)");
  server.of(user).devices.clear();
  await click("Close");
  await click(/^Account/);
  await click("Notifications");
  await says("This device is told what is due while Todo is open.");
});

test("another device is forgotten", async () => {
  const other = { id: "d2", kind: "mail" as const, name: "", language: null };
  const seenAt = "2026-11-24T10:00:00.000Z";
  server.of(user).devices.set("d2", { ...other, createdAt: seenAt, seenAt });
  await panel();
  await click("Forget mail");
  await says("None is told while Todo is closed.");
  expect(devicesThere()).toEqual([]);
});

test("who leaves the account is told nothing here any more", async () => {
  const { registration, isSubscribed } = worker();
  await panel({ worker: registration });
  await click("Tell me also while Todo is closed");
  await says("also while Todo is closed.");
  await click("Close");
  await click(/^Account/);
  await click("Sign out");
  await until(() => !isSubscribed());
  await until(() => devicesThere().length === 0);
});

test("quiet hours are set, changed and ended, and nothing else that was said is", async () => {
  server.of(user).preferences = { limit: { count: 3, minutes: 60 } };
  await panel();
  await enter("From", "23:00");
  await enter("To", "06:30");
  await click("Be quiet then");
  await appears(() => button("No quiet hours"));
  const { timezone, ...said } = server.of(user).preferences;
  expect(said).toEqual({ limit: { count: 3, minutes: 60 }, quiet: { from: "23:00", to: "06:30" } });
  expect(timezone).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone);

  await shows(() => expect(field("From").value).toBe("23:00"));
  await enter("From", "22:15");
  await click("Change");
  await until(() => server.of(user).preferences.quiet?.from === "22:15");
  await isIdle("Change");
  await click("No quiet hours");
  await appears(() => button("Be quiet then"));
  expect(server.of(user).preferences).toEqual({ timezone, limit: { count: 3, minutes: 60 } });
});

test("what does not work is said: by the browser, by its user, and by the hub", async () => {
  await panel();
  await appears(() => button("Tell me also while Todo is closed"));
  await says("Devices");
  await click("Tell me also while Todo is closed");
  await shows(() => expect(alerts()[0]).toContain("This browser cannot be told"));
  await isIdle("Tell me also while Todo is closed");
});

test("who does not allow it is told where it is allowed", async () => {
  const { registration } = worker("denied");
  await panel({ worker: registration });
  await says("Devices");
  await click("Tell me also while Todo is closed");
  await shows(() => expect(alerts()[0]).toContain("Allow notifications in its settings."));
  await isIdle("Tell me also while Todo is closed");
  expect(devicesThere()).toEqual([]);
});

test.each([
  ["This hub tells nobody of reminders.", 404, { code: "not_found", message: "no such place" }],
  ["This hub tells nobody of reminders.", 404, { code: "app_unknown", message: "no reminders" }],
  ["The hub cannot be reached.", 503, ""],
])("a hub is said to be so: %s", async (words, status, body) => {
  server.next.push([status, body], [status, body]);
  await panel();
  await shows(() => expect(alerts()[0]).toContain(words));
  // What was told before is there without it.
  await says("Nothing yet.");
});

/** A record as the hub's sync would bring it; the page itself may write none. */
async function tells({ told }: Todo, n: number): Promise<void> {
  vi.spyOn(told, "check").mockImplementation(() => {});
  const now = Date.now();
  const iso = (ms: number) => new Date(ms).toISOString();
  const record: NotificationRecord = {
    id: `${now + n}-0123456789abcdef`,
    kind: "reminder",
    at: iso(now),
    expires: iso(now + 3_600_000),
    late: false,
    title: `Water the plants ${n}`,
    body: "",
    language: "en",
    items: [],
    more: 0,
    channels: ["notice"],
    receipts: null,
  };
  await told.insert(record);
}

test("what the hub tells is said in the page, and is in the history", async () => {
  const { todo } = await open({ account: user, hub: server.url });
  await tells(todo, 1);
  await shows(() => expect(toast()).toContain("Water the plants 1"));
  await click(/^Account/);
  await click("Notifications");
  await says("Water the plants 1");
});

test("a page that nobody sees shows it beside itself", async () => {
  const { registration, shown } = worker();
  const { todo } = await open({ account: user, hub: server.url, worker: registration });
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  await tells(todo, 1);
  await until(() => shown.length === 1);
  expect(shown[0]).toMatchObject({
    title: "Water the plants 1",
    tag: expect.stringMatching(/^\d/),
  });
  expect(toast()).toBe("");
});
