/** What time does to an open page: the next day comes, and reminders are due. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import {
  add,
  alerts,
  check,
  click,
  edit,
  enter,
  failNext,
  field,
  open,
  row,
  shows,
  textOf,
  titles,
  toast,
} from "./page";

/** Half an hour before midnight: what a slow machine takes is much less. */
const EVENING = new Date(2031, 10, 10, 23, 30);
const MINUTE_MS = 60_000;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
    shouldAdvanceTime: true,
    now: EVENING,
  });
});
afterEach(() => void vi.useRealTimers());

const pass = (minutes: number) => vi.advanceTimersByTime(minutes * MINUTE_MS);

test("a page that is open over midnight goes on to the next day", async () => {
  await open();
  await add("Call Ada tomorrow");
  await click(/^Today/);
  await shows(() => expect(titles()).toEqual([]));
  pass(31);
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  expect(textOf(row("Call Ada"))).toContain("Today");
  await click(/^Upcoming/);
  await shows(() => expect(titles()).toEqual([]));
});

test("a page whose device slept over midnight goes by the day it is", async () => {
  const { todo } = await open();
  await todo.tasks.insert({
    id: "k",
    title: "Water",
    done: false,
    order: 1,
    due: "2031-11-10",
    repeat: "FREQ=DAILY",
  });
  await shows(() => expect(titles()).toEqual(["Water"]));
  // Timers stood still meanwhile.
  vi.setSystemTime(EVENING.getTime() + 24 * 60 * MINUTE_MS);
  await check("Done: Water");
  await shows(() => expect(toast()).toContain("comes again"));
  expect(await todo.tasks.get("k")).toMatchObject({ due: "2031-11-12" });
  vi.setSystemTime(EVENING.getTime() + 48 * 60 * MINUTE_MS);
  await add("Call Ada tomorrow");
  expect((await todo.tasks.query({ filter: { title: "Call Ada" } }))[0]?.due).toBe("2031-11-13");
  vi.setSystemTime(EVENING.getTime() + 72 * 60 * MINUTE_MS);
  document.dispatchEvent(new Event("visibilitychange"));
  await shows(() => expect(textOf(row("Call Ada"))).toContain("Today"));
});

/** A page with a task that reminds in forty minutes, over midnight. */
async function reminding() {
  const page = await open();
  await add("Buy milk");
  await edit("Buy milk");
  await enter("Remind at", "2031-11-11T00:10");
  await click("Remind");
  await shows(() => expect(row("Buy milk").textContent).toContain("Reminder"));
  return page;
}

test("who sets a reminder for no moment is told what it needs", async () => {
  const { todo } = await open();
  await add("Buy milk");
  await edit("Buy milk");
  await click("Remind");
  await shows(() => expect(alerts()).toEqual(["A reminder needs a day and a time."]));
  expect(document.activeElement).toBe(field("Remind at"));
  expect(await todo.reminders.query()).toEqual([]);
  await enter("Remind at", "2031-11-11T00:10");
  await shows(() => expect(alerts()).toEqual([]));
  await click("Remind");
  await shows(() => expect(row("Buy milk").textContent).toContain("Reminder"));
});

test("a reminder is for a moment that can be stored, or says what it needs", async () => {
  const { todo } = await open();
  await add("Buy milk");
  await edit("Buy milk");
  await enter("Remind at", "0203-11-11T00:10");
  await click("Remind");
  await shows(() => expect(alerts()).toEqual(["A reminder needs a year of four figures."]));
  expect(await todo.reminders.query()).toEqual([]);
});

test("a reminder that is far ahead waits no longer than a browser's timer can", async () => {
  const asked = vi.spyOn(globalThis, "setTimeout");
  const { todo } = await open();
  await add("Buy milk");
  const [task] = await todo.tasks.query();
  await todo.reminders.insert({ task: task!.id, at: "2032-11-11T00:10:00.000Z", isSeen: false });
  await shows(() => expect(row("Buy milk").textContent).toContain("Reminder"));
  // More is taken for nothing: the page would look again and again at once.
  expect(Math.max(...asked.mock.calls.map(([, wait = 0]) => wait))).toBeLessThan(2 ** 31);
});

test("a device that slept over a reminder shows it within a minute of waking up", async () => {
  await reminding();
  await click("Close");
  // Timers stood still meanwhile.
  vi.setSystemTime(EVENING.getTime() + 41 * MINUTE_MS);
  await shows(() => expect(alerts()).toEqual([]));
  pass(1);
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
});

test("a reminder comes when it is due, and not before, until it was seen", async () => {
  await reminding();
  await click("Close");
  pass(20);
  await shows(() => expect(alerts()).toEqual([]));
  pass(21);
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
  await click("Seen: Buy milk");
  await shows(() => expect(alerts()).toEqual([]));
  expect(row("Buy milk").textContent).not.toContain("Reminder");
});

test("a reminder that is removed does not come, nor that of a task that is done", async () => {
  const { todo } = await reminding();
  await click(/^Remove reminder of/);
  await shows(() => expect(row("Buy milk").textContent).not.toContain("Reminder"));
  expect(await todo.reminders.query()).toEqual([]);
  await enter("Remind at", "2031-11-11T00:10");
  await click("Remind");
  await click("Close");
  await todo.tasks.update((await todo.tasks.query())[0]!.id, { done: true });
  await shows(() => expect(titles()).toEqual([]));
  pass(60);
  await add("Later");
  expect(alerts()).toEqual([]);
});

test("a reminder is over when what repeats is done, but not one that is ahead, nor if that is undone", async () => {
  const { todo } = await reminding();
  await click("Close");
  const { id } = (await todo.tasks.query())[0]!;
  await todo.tasks.update(id, { repeat: "FREQ=WEEKLY" });
  await todo.reminders.insert({ task: id, at: "2031-12-01T00:00:00.000Z", isSeen: false });
  await shows(() => expect(row("Buy milk").textContent).toContain("Every week"));
  pass(41);
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
  await check("Done: Buy milk");
  await shows(() => expect(toast()).toContain("“Buy milk” comes again"));
  await shows(() => expect(alerts()).toEqual([]));
  expect(row("Buy milk").textContent).toContain("Reminder");
  await click("Undo");
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
});

/** The browser's notifications, as far as they are used. */
function notifications(permission: NotificationPermission) {
  const shown: { body?: string; tag?: string }[] = [];
  const requestPermission = vi.fn(async () => permission);
  vi.stubGlobal("Notification", { permission, requestPermission });
  const worker = {
    showNotification: (_: string, about: object) => void shown.push(about),
    getNotifications: async () =>
      shown.map((one) => ({ ...one, close: () => shown.splice(shown.indexOf(one), 1) })),
  };
  const serviceWorker = { ready: Promise.resolve(worker) };
  Object.defineProperty(navigator, "serviceWorker", { value: serviceWorker, configurable: true });
  return { shown, requestPermission };
}

test("who sets a reminder is asked for leave to notify, once it is wanted", async () => {
  const { requestPermission } = notifications("default");
  await open();
  await add("Buy milk");
  await edit("Buy milk");
  expect(requestPermission).not.toHaveBeenCalled();
  await enter("Remind at", "2031-11-11T00:10");
  await click("Remind");
  await shows(() => expect(row("Buy milk").textContent).toContain("Reminder"));
  expect(requestPermission).toHaveBeenCalledOnce();
});

test("a page that nobody sees notifies, once", async () => {
  const { shown } = notifications("granted");
  await reminding();
  await click("Close");
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  pass(41);
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
  pass(41);
  await add("Later");
  expect(shown.map(({ body }) => body)).toEqual(["Buy milk"]);
});

test("what was told beside the page is taken back when it was seen, here or elsewhere", async () => {
  const { shown } = notifications("granted");
  const { todo } = await reminding();
  await click("Close");
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  pass(41);
  await until(() => shown.length === 1);
  const [reminder] = await todo.reminders.query();
  await todo.reminders.update(reminder!.id, { isSeen: true });
  await until(() => shown.length === 0);
});

test("who is not reminded is not asked for leave to notify", async () => {
  const { requestPermission } = notifications("default");
  const { todo } = await open();
  await add("Buy milk");
  await edit("Buy milk");
  await enter("Remind at", "2031-11-11T00:10");
  failNext(todo);
  await click("Remind");
  await shows(() => expect(alerts()[0]).toContain("no more room"));
  expect(requestPermission).not.toHaveBeenCalled();
});

test("what was told beside the page is taken back when the account is left", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const { shown } = notifications("granted");
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  const { todo } = await open({ account: "ada" });
  await add("Buy milk");
  const [task] = await todo.tasks.query();
  await todo.reminders.insert({ task: task!.id, at: "2031-01-01T00:00:00.000Z", isSeen: false });
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
  await until(() => shown.length === 1);
  await todo.store.signOut({ unsynced: "discard" });
  await until(() => shown.length === 0);
});

test("a page that is seen does not notify: it shows the reminder itself", async () => {
  const { shown } = notifications("granted");
  await reminding();
  await click("Close");
  pass(41);
  await shows(() => expect(alerts()[0]).toContain("Buy milk"));
  await add("Later");
  expect(shown).toEqual([]);
});
