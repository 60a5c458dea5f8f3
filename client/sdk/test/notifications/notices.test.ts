/** Notices in pages: real stores on disks in memory, with records as the hub's sync would bring them. */
import { IDBFactory } from "fake-indexeddb";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLocalCollection, createLocalStore } from "../../src/index";
import {
  claim,
  notices,
  NOTICE_WITHIN_MS,
  notificationRecords,
  type NotificationRecord,
} from "../../src/notifications/index";
import { Disk } from "../device";
import { until } from "../eventually";

const NOW = Date.parse("2026-11-24T10:00:00.000Z");
const iso = (ms: number) => new Date(ms).toISOString();

const told = (n: number, more: Partial<NotificationRecord> = {}): NotificationRecord => ({
  id: `${NOW + n}-0123456789abcdef`,
  kind: "reminder",
  at: iso(NOW),
  expires: iso(NOW + 3_600_000),
  late: false,
  title: `Reminder ${n}`,
  body: "",
  language: "en",
  items: [
    {
      key: `reminders/r${n}@${NOW}`,
      table: "reminders",
      id: `r${n}`,
      task: null,
      due: iso(NOW),
      title: "",
    },
  ],
  more: 0,
  channels: ["notice", "push"],
  receipts: null,
  ...more,
});

/** A device whose store lets the test write in the hub's place. */
function device() {
  const disk = new Disk();
  const records = createLocalCollection<NotificationRecord>({ name: "@notifications" });
  const store = createLocalStore({
    appId: "todo",
    collections: [records],
    surroundings: disk.surroundings(),
  });
  onTestFinished(() => store.close());
  const engine = new IDBFactory();
  const page = (at: { now?: number; isHidden?: () => boolean } = {}) => {
    const shown: string[] = [];
    const { now = NOW, isHidden = () => false } = at;
    const surroundings = { now: () => now, isHidden, engine };
    const show = ({ title }: NotificationRecord) => void shown.push(title);
    const end = notices({ app: "todo", store, records, show, surroundings });
    onTestFinished(end);
    return { shown, end };
  };
  return { store, records, engine, page };
}

/** The sentinel comes last, so what stands before it has been decided on. */
async function settles({ records }: ReturnType<typeof device>, ...pages: { shown: string[] }[]) {
  await records.insert(told(999, { title: "the last" }));
  await until(() => pages.some(({ shown }) => shown.includes("the last")));
}

test("what is told while a page is open is shown once, in the order it was told", async () => {
  const one = device();
  const page = one.page();
  await one.records.insert(told(1));
  await one.records.insert(told(2));
  await settles(one, page);
  // The hub says what became of it: that is no new notification.
  await one.records.update(told(1).id, { receipts: { push: { sent: 1, failed: 0, gone: 0 } } });
  await one.records.insert(told(1_000, { title: "after it" }));
  await until(() => page.shown.includes("after it"));
  expect(page.shown).toEqual(["Reminder 1", "Reminder 2", "the last", "after it"]);
});

test("what was there when the page opened is shown if it is new, and once for all tabs", async () => {
  const one = device();
  await one.records.insert(told(1));
  await one.records.insert(told(2));
  const pages = [one.page(), one.page(), one.page()];
  await settles(one, ...pages);
  await until(() => pages.flatMap(({ shown }) => shown).length >= 3);
  const all = pages.flatMap(({ shown }) => shown).sort();
  expect(all).toEqual(["Reminder 1", "Reminder 2", "the last"]);
});

test("what the worker has shown, or the app itself, is not shown again", async () => {
  const one = device();
  await claim("todo", [`@notifications/${told(1).id}`, told(1).items[0]!.key], one.engine);
  await claim("todo", [told(2).items[0]!.key], one.engine);
  const page = one.page();
  for (const n of [1, 2, 3]) await one.records.insert(told(n));
  await settles(one, page);
  expect(page.shown).toEqual(["Reminder 3", "the last"]);
});

test("only what is meant for pages, was told within ten minutes and is of use still, is shown", async () => {
  const one = device();
  const page = one.page();
  const some: [number, Partial<NotificationRecord>][] = [
    [1, { channels: ["push", "mail"] }],
    [2, { at: iso(NOW - NOTICE_WITHIN_MS) }],
    [3, { at: iso(NOW - NOTICE_WITHIN_MS + 1) }],
    [4, { expires: iso(NOW) }],
    [5, { expires: iso(NOW + 1) }],
    [6, { at: "soon" }],
    [7, { channels: undefined! }],
    // A clock that is behind the hub's.
    [8, { at: iso(NOW + 60_000) }],
  ];
  for (const [n, more] of some) await one.records.insert(told(n, more));
  await settles(one, page);
  expect(page.shown).toEqual(["Reminder 3", "Reminder 5", "Reminder 8", "the last"]);
});

test("the hub's clock says what is new", async () => {
  const one = device();
  const wrong = NOW - 86_400_000;
  const inspect = async () => ({ ...(await one.store.inspect()), clockOffset: 86_400_000 });
  const shown: string[] = [];
  const end = notices({
    app: "todo",
    store: { account: null, inspect },
    records: one.records,
    show: ({ title }) => void shown.push(title),
    surroundings: { now: () => wrong, isHidden: () => false, engine: one.engine },
  });
  onTestFinished(end);
  await one.records.insert(told(1, { at: iso(NOW - NOTICE_WITHIN_MS) }));
  await one.records.insert(told(2));
  await until(() => shown.length === 1);
  expect(shown).toEqual(["Reminder 2"]);
});

test("a page that somebody sees goes before one that nobody does", async () => {
  const one = device();
  const hidden = one.page({ isHidden: () => true });
  const seen = one.page();
  await one.records.insert(told(1));
  await until(() => seen.shown.length + hidden.shown.length === 1);
  expect(seen.shown).toEqual(["Reminder 1"]);
  seen.end();
  // If there is none it is shown all the same.
  await one.records.insert(told(2));
  await until(() => hidden.shown.length === 1);
  expect(hidden.shown).toEqual(["Reminder 2"]);
});

test("what comes when the account is another's, or after the end, is not shown", async () => {
  const one = device();
  const shown: string[] = [];
  const { inspect } = one.store;
  const store = { account: "ada" as string | null, inspect: inspect.bind(one.store) };
  const options = {
    app: "todo",
    records: one.records,
    show: ({ title }: NotificationRecord) => void shown.push(title),
    surroundings: { now: () => NOW, isHidden: () => false, engine: one.engine },
  };
  const leaves = vi.fn(async () => {
    store.account = null;
    return inspect.call(one.store);
  });
  const end = notices({
    ...options,
    store: {
      get account() {
        return store.account;
      },
      inspect: leaves,
    },
  });
  await one.records.insert(told(1));
  await until(() => leaves.mock.calls.length > 0);
  end();
  const page = one.page();
  await settles(one, page);
  expect(shown).toEqual([]);
  // It was nobody's yet.
  expect(page.shown).toEqual(["Reminder 1", "the last"]);
});

test("one that cannot be shown is said, and does not keep the others from it", async () => {
  const one = device();
  const shown: string[] = [];
  const failed: unknown[] = [];
  const broken = new Error("no place");
  for (const n of [1, 2]) await one.records.insert(told(n));
  const end = notices({
    app: "todo",
    store: one.store,
    records: one.records,
    show: ({ title }) => {
      if (title === "Reminder 1") throw broken;
      shown.push(title);
    },
    failed: (error) => void failed.push(error),
    surroundings: { now: () => NOW, isHidden: () => false, engine: one.engine },
  });
  onTestFinished(end);
  await until(() => shown.length === 1);
  expect([shown, failed]).toEqual([["Reminder 2"], [broken]]);
});

test("the records are the hub's alone to write, and are read as others are", async () => {
  const records = notificationRecords();
  const store = createLocalStore({
    appId: "todo",
    collections: [records],
    surroundings: new Disk().surroundings(),
  });
  onTestFinished(() => store.close());
  await expect(records.insert(told(1))).rejects.toMatchObject({ code: "schema_invalid" });
  expect(await records.query({ sort: "-id" })).toEqual([]);
});
