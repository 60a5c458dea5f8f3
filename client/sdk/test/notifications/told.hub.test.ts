/** From a reminder to what devices show of it: the real hub, real stores, and a browser's side of Web Push. */
import { IDBFactory } from "fake-indexeddb";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createLocalCollection, createLocalStore, type Identified } from "../../src/index";
import {
  addDevice,
  history,
  notices,
  notificationRecords,
  type HubAccess,
} from "../../src/notifications/index";
import { readPayload } from "../../src/notifications/worker";
import { Disk } from "../device";
import { passes, until } from "../eventually";
import { Hub } from "../hub";
import { SETTINGS } from "./hub";
import { Receiver } from "./receiver";

/** How far ahead a reminder is set, in milliseconds: it is stored at the hub by then, or told late. */
const AHEAD_MS = 2_000;

describe("a reminder at the real hub", () => {
  let hub: Hub;
  beforeAll(async () => {
    hub = await Hub.start(SETTINGS);
  });
  afterAll(() => hub.stop());

  const access = (user: string): HubAccess => ({
    serverUrl: hub.url,
    app: "todo",
    token: () => hub.token(user),
  });

  /** Tabs of a device, and the titles that they have shown between them. */
  function device(user: string) {
    const disk = new Disk();
    const engine = new IDBFactory();
    const shown: string[] = [];
    const tab = () => {
      const tasks = createLocalCollection<Identified & { title: string }>({ name: "tasks" });
      const reminders = createLocalCollection<Identified & { task: string; at: string }>({
        name: "reminders",
      });
      const records = notificationRecords();
      const store = createLocalStore({
        appId: "todo",
        serverUrl: hub.url,
        collections: [tasks, reminders, records],
        auth: { account: user, token: () => hub.token(user) },
        surroundings: { ...disk.surroundings(), ...disk.tabs },
      });
      const surroundings = { isHidden: () => false, engine };
      const show = ({ title }: { title: string }) => void shown.push(title);
      const end = notices({ app: "todo", store, records, show, surroundings });
      onTestFinished(async () => {
        end();
        await store.close();
      });
      return { store, tasks, reminders, records };
    };
    return { shown, tab };
  }

  test("is shown once by each device, whichever of its tabs, and is in the history", async () => {
    const [phone, laptop] = [device("told"), device("told")];
    const tabs = [phone.tab(), phone.tab(), laptop.tab()];
    for (const { store } of tabs) await store.caughtUp();
    const [{ tasks, reminders, records }] = tabs as [(typeof tabs)[0]];
    const at = Date.now() + AHEAD_MS;
    await tasks.insert({ id: "k1", title: "Buy milk" });
    const { id } = await reminders.insert({ task: "k1", at: new Date(at).toISOString() });
    await until(() => phone.shown.length > 0 && laptop.shown.length > 0);
    const [told] = await records.query();
    expect(told).toMatchObject({
      kind: "reminder",
      items: [{ key: `reminders/${id}@${at}`, table: "reminders", id, task: "k1" }],
      more: 0,
    });

    // Another one: whoever would show the first again has had the time for it.
    await reminders.insert({ task: "k1", at: new Date(Date.now() + AHEAD_MS).toISOString() });
    await until(() => phone.shown.length > 1 && laptop.shown.length > 1);
    expect([phone.shown, laptop.shown]).toEqual([
      Array(2).fill(told!.title),
      Array(2).fill(told!.title),
    ]);
    const { notifications } = await history(access("told"));
    expect(notifications.map(({ id }) => id)).toEqual(
      (await records.query({ sort: "-id" })).map(({ id }) => id),
    );
    expect((await history(access("told"), { before: notifications[0]!.id })).notifications).toEqual(
      [expect.objectContaining({ id: told!.id, items: told!.items })],
    );
  });

  test("is pushed once, in words that the worker reads", async () => {
    const receiver = await Receiver.start();
    onTestFinished(() => receiver.stop());
    await addDevice(access("pushed"), { kind: "push", subscription: receiver.subscription });
    const { store, tasks, reminders, records } = device("pushed").tab();
    await store.caughtUp();
    await tasks.insert({ id: "k1", title: "Buy milk" });
    await reminders.insert({ task: "k1", at: new Date(Date.now() + AHEAD_MS).toISOString() });
    // Once it is settled nobody sends it again.
    await passes(async () => {
      const [told] = await records.query();
      expect(told?.receipts).toMatchObject({ push: { sent: 1 }, done: true });
    });
    const [told] = await records.query();
    const items = told!.items.map(({ key, table, id, task }) => ({ key, table, id, task }));
    const { id, title, body } = told!;
    expect((await receiver.messages()).map(readPayload)).toMatchObject([
      { id, app: "todo", title, body, items },
    ]);
  });

  test("no device changes what was told", async () => {
    const { store, tasks, reminders, records } = device("keeps").tab();
    await store.caughtUp();
    await tasks.insert({ id: "k1", title: "Water" });
    await reminders.insert({ task: "k1", at: new Date(Date.now() + AHEAD_MS).toISOString() });
    await until(async () => (await records.count()) === 1);
    const [told] = await records.query();
    const deleted = await records.delete(told!.id);
    await expect(deleted.synced()).rejects.toMatchObject({ code: "table_reserved" });
    expect((await records.query()).map(({ id }) => id)).toEqual([told!.id]);
  });
});
