// @vitest-environment happy-dom
import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Inspection, Status } from "../../src/index";
import { AT_REST, DrivenStore, refusal } from "./driven";
import { DebugPanel } from "../../src/svelte/index";
import { textOf, textsOf } from "./page";
import Panels from "./Panels.svelte";
import { choosing } from "./shown.svelte";

let app: ReturnType<typeof mount> | undefined;
beforeEach(() => void vi.useFakeTimers());
afterEach(async () => {
  if (app) await unmount(app);
  app = undefined;
  vi.useRealTimers();
});

/** What was promised has come, and is shown. */
async function settled(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  flushSync();
}

async function show(driven: DrivenStore, props: object = { above: driven.store }) {
  app = mount(Panels, { target: document.body, props });
  await settled();
}

/** The panel's figures, by their names. */
function figures(): Record<string, string> {
  const texts = (selector: string) => textsOf(selector).map((text) => text!.replace(/\s+/g, " "));
  const values = texts(".debug-panel dd");
  return Object.fromEntries(texts(".debug-panel dt").map((name, at) => [name, values[at]!]));
}

test("the panel shows every figure of the store", async () => {
  const driven = new DrivenStore({ ...AT_REST, status: "pending", pending: 7 });
  driven.inside = {
    client: "c-1",
    cursor: { epoch: "e1", seq: 41 },
    behind: 3,
    lag: 12_400,
    outbox: 99,
    rejected: 99,
    clockOffset: -250.4,
  };
  await show(driven);
  driven.refused.tell([refusal(1, "forbidden"), refusal(2, "record_too_large")]);
  flushSync();
  expect(figures()).toEqual({
    Status: "pending",
    Account: "ada",
    Client: "c-1",
    Cursor: "41 of epoch e1",
    Lag: "3 commits, 12 s",
    Outbox: "7",
    Rejected: "2",
    Clock: "-250 ms behind the hub's",
  });
});

test("the panel of a guest who has begun shows what there is not", async () => {
  const driven = new DrivenStore({ ...AT_REST, status: "offline", account: null });
  driven.inspect = () => Promise.reject(new Error("the database is opened again"));
  await show(driven);
  expect(figures()).toEqual({
    Status: "offline",
    Account: "guest",
    Client: "–",
    Cursor: "none",
    Lag: "0 commits, 0 s",
    Outbox: "0",
    Rejected: "0",
    Clock: "0 ms behind the hub's",
  });
  expect(document.querySelectorAll(".debug-panel ul")).toHaveLength(0);
});

test("the panel looks inside at every status and every second, and no more at its end", async () => {
  const driven = new DrivenStore();
  driven.inside = { behind: 1 };
  await show(driven);
  expect(driven.looks).toBe(1);
  driven.inside = { behind: 2 };
  await settled(1_000);
  expect([driven.looks, figures()["Lag"]]).toEqual([2, "2 commits, 0 s"]);
  driven.becomes({ pending: 1 });
  flushSync();
  expect(driven.looks).toBe(3);
  // The look of before has ended with the status of before.
  await settled(1_000);
  expect(driven.looks).toBe(4);
  await unmount(app!);
  app = undefined;
  await settled(5_000);
  expect(driven.looks).toBe(4);
  expect([driven.listeners, driven.refused.subscriptions]).toEqual([0, 0]);
});

test("a refused write is shown with what it would have done, and is made again or given up", async () => {
  const driven = new DrivenStore();
  await show(driven);
  driven.refused.tell([refusal(4, "forbidden"), refusal(5, "record_too_large")]);
  flushSync();
  const rows = "[aria-label='Rejected writes'] li";
  expect(textsOf(rows).map((text) => text!.replace(/\s+/g, " ").trim())).toEqual([
    "forbidden why 4: delete tasks/k4, update lists/l Retry Discard",
    "record_too_large why 5: delete tasks/k5, update lists/l Retry Discard",
  ]);
  const buttons = [...document.querySelectorAll<HTMLButtonElement>(`${rows} button`)];
  // Each says what it is about, also where it is heard alone.
  expect(buttons[0]!.getAttribute("aria-label")).toBe("Retry: delete tasks/k4, update lists/l");
  expect(buttons[3]!.getAttribute("aria-label")).toBe("Discard: delete tasks/k5, update lists/l");
  buttons[0]!.click();
  buttons[3]!.click();
  expect(driven.decided).toEqual(["retry 4", "discard 5"]);
  driven.refused.tell([]);
  flushSync();
  expect(document.querySelectorAll(".debug-panel ul")).toHaveLength(0);
});

test("a decision that fails says why, until one does not", async () => {
  const driven = new DrivenStore();
  await show(driven);
  driven.refused.tell([refusal(4, "forbidden")]);
  flushSync();
  const alert = () => textOf(".debug-panel [role=alert]");
  const [retry, discard] = document.querySelectorAll<HTMLButtonElement>(".debug-panel li button");
  driven.rejected.retry = () => Promise.reject(new Error("more than the hub takes at once"));
  retry!.click();
  await settled();
  expect(alert()).toBe("more than the hub takes at once");
  discard!.click();
  await settled();
  expect(alert()).toBe("");
});

test("errors of before the panel are shown, and those that come", async () => {
  const driven = new DrivenStore();
  const at = new Date(2026, 0, 1, 9, 30).getTime();
  driven.errors = [{ code: "token_failed", message: "no such session", at }];
  await show(driven);
  const rows = () =>
    textsOf("[aria-label='Last errors'] li").map((text) => text!.replace(/\s+/g, " ").trim());
  const time = new Date(at).toLocaleTimeString();
  expect(rows()).toEqual([`${time} token_failed no such session`]);
  // Two of one moment.
  driven.errors = [{ code: "quota", message: "full", at }, ...driven.errors];
  driven.becomes({ status: "error" });
  flushSync();
  expect(rows()).toEqual([`${time} quota full`, `${time} token_failed no such session`]);
});

test("the status is shown in words, with a hint", async () => {
  const driven = new DrivenStore();
  await show(driven);
  const status = () => {
    const found = document.querySelector<HTMLElement>(".sync-status")!;
    return [textOf(".sync-status"), found.dataset["status"], found.title];
  };
  expect(status()).toEqual([
    "Synced",
    "synced",
    "Everything is saved here and on your other devices.",
  ]);
  driven.becomes({ status: "error", error: { code: "forbidden", message: "not yours" } });
  flushSync();
  expect(status()).toEqual(["Not syncing", "error", "not yours"]);
});

test("what lasts of the status is told to screen readers, and no step to it", async () => {
  const driven = new DrivenStore();
  await show(driven);
  const told: string[] = [];
  const becomes = (status: Status["status"], pending = 0) => {
    driven.becomes({ status, pending });
    flushSync();
    const now = textOf("[role=status]");
    if (now !== (told.at(-1) ?? "")) told.push(now);
  };
  for (let round = 0; round < 2; round++)
    for (const step of ["synced", "pending", "syncing", "synced"] as const)
      becomes(step, step === "synced" ? 0 : 1);
  expect(told).toEqual([]);
  becomes("offline");
  becomes("offline", 1);
  becomes("syncing", 2);
  becomes("synced");
  becomes("error");
  expect(told).toEqual(["Offline", "Synced", "Not syncing"]);
});

test("a loss is told as one, and can be acknowledged", async () => {
  const driven = new DrivenStore();
  await show(driven);
  const button = () => document.querySelector<HTMLButtonElement>(".debug-panel > button");
  expect(button()).toBeNull();
  driven.becomes({ status: "error", error: { code: "storage_lost", message: "evicted" } });
  flushSync();
  expect(textOf(".sync-status")).toBe("Data was lost");
  button()!.click();
  expect(driven.decided).toEqual(["acknowledge"]);
});

test("components take a store of their own before that of the context, and another in its place", async () => {
  const [above, own, other] = ["above", "own", "other"].map(
    (account) => new DrivenStore({ ...AT_REST, account, status: "offline", pending: 1 }),
  ) as [DrivenStore, DrivenStore, DrivenStore];
  const shown = choosing({ store: own.store });
  const heard: unknown[] = [];
  await show(above, { above: above.store, shown, heard: (store: unknown) => heard.push(store) });
  expect(heard).toEqual([above, above]);
  own.refused.tell([refusal(4, "forbidden")]);
  own.inside = { client: "c-own", behind: 3 };
  await settled(1_000);
  expect(figures()).toMatchObject({ Account: "own", Client: "c-own", Rejected: "1" });
  // A look into the one that goes, which ends when it has gone.
  let end!: (seen: Inspection) => void;
  own.inspect = () => new Promise((resolve) => (end = resolve));
  await settled(1_000);
  other.inspect = () => Promise.reject(new Error("the database is opened again"));
  other.now = { ...other.now, pending: 2 };
  shown.store = other.store;
  await settled();
  const nothing = { Client: "–", Lag: "0 commits, 0 s", Rejected: "0" };
  expect(figures()).toMatchObject({ Account: "other", ...nothing });
  expect(document.querySelectorAll("[aria-label='Rejected writes']")).toHaveLength(0);
  end({ client: "c-own", behind: 3 } as Inspection);
  await settled();
  expect(figures()).toMatchObject(nothing);
  other.refused.tell([]);
  other.inspect = async () => ({ client: "c-other" }) as Inspection;
  await settled(1_000);
  expect(figures()).toMatchObject({ Client: "c-other", Rejected: "0" });
  expect(textOf(".sync-status")).toBe("Offline, 2 changes to send");
  expect([above.listeners, own.listeners, own.refused.subscriptions]).toEqual([0, 0, 0]);
});

test("the panel is called what it is told to be, where there are several", async () => {
  const { store } = new DrivenStore();
  const target = document.body;
  const panels = [{ store }, { store, label: "What the phone holds" }].map((props) =>
    mount(DebugPanel, { target, props }),
  );
  await settled();
  const names = [...document.querySelectorAll(".debug-panel")].map((one) =>
    one.getAttribute("aria-label"),
  );
  expect(names).toEqual(["Debug panel", "What the phone holds"]);
  for (const panel of panels) await unmount(panel);
});

test("without a store the components say what is missing", () => {
  expect(() => mount(Panels, { target: document.body, props: {} })).toThrow(/context/);
});
