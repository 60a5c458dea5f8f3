/** Which tab leads, without a browser: with the locks and channels of `test/locks`. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { surroundings } from "../../src/surroundings";
import { Tabs, type TabMessage } from "../../src/sync/leader";
import { Locks } from "../locks";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The channel of a device's tabs. A frozen tab hears nothing. */
function device() {
  const ends = new Set<Channel>();
  class Channel {
    onmessage: ((event: MessageEvent) => void) | undefined;
    isFrozen = false;
    constructor() {
      ends.add(this);
    }
    postMessage(data: unknown) {
      for (const end of ends)
        if (end !== this)
          queueMicrotask(() => !end.isFrozen && end.onmessage?.({ data } as MessageEvent));
    }
    close() {
      ends.delete(this);
    }
  }
  const locks = new Locks() as unknown as LockManager;
  const open = (isVisible = true) => {
    const told: string[] = [];
    const heard: TabMessage[] = [];
    const BroadcastChannel = Channel as unknown as typeof globalThis.BroadcastChannel;
    const around = surroundings({ locks, BroadcastChannel, isVisible: () => isVisible });
    const tabs = new Tabs("todo", around, {
      lead: () => void told.push("lead"),
      yield: () => void told.push("yield"),
      heard: (message) => void heard.push(message),
    });
    const channel = [...ends].at(-1) as Channel;
    tabs.start();
    return { tabs, told, heard, freeze: () => (channel.isFrozen = true) };
  };
  return { open };
}

/** Longer than a tab asks and waits. */
const passes = () => vi.advanceTimersByTimeAsync(5_000);

test("one tab leads, and the next when that is closed", async () => {
  const { open } = device();
  const [first, second, third] = [open(), open(), open()];
  await passes();
  expect([first, second, third].map(({ told }) => told)).toEqual([["lead"], [], []]);
  first.tabs.stop();
  await passes();
  expect(second.told).toEqual(["lead"]);
  expect(third.told).toEqual([]);
  for (const { tabs } of [second, third]) tabs.stop();
});

test("a leader that answers is left alone, for however long", async () => {
  const { open } = device();
  const [leader, other] = [open(), open()];
  for (let more = 0; more < 10; more++) await passes();
  expect([leader.told, other.told]).toEqual([["lead"], []]);
  for (const { tabs } of [leader, other]) tabs.stop();
});

test("one that answers nobody is replaced by a tab the user sees, and waits for its turn", async () => {
  const { open } = device();
  const frozen = open();
  await passes();
  const [hidden, visible] = [open(false), open()];
  frozen.freeze();
  await passes();
  expect(frozen.told).toEqual(["lead", "yield"]);
  expect(visible.told).toEqual(["lead"]);
  expect(hidden.told).toEqual([]);
  for (const { tabs } of [visible, hidden]) tabs.stop();
  await passes();
  expect(frozen.told).toEqual(["lead", "yield", "lead"]);
  expect(frozen.tabs.leads).toBe(true);
  frozen.tabs.stop();
});

test("what a tab says the others hear, and nobody when it is over", async () => {
  const { open } = device();
  const [one, other] = [open(), open()];
  await passes();
  other.tabs.say({ t: "wrote" });
  await passes();
  expect(one.heard).toContainEqual({ t: "wrote" });
  one.heard.length = 0;
  expect(other.heard).toEqual([]);
  other.tabs.stop();
  other.tabs.say({ t: "wrote" });
  await passes();
  expect(one.heard).toEqual([]);
  one.tabs.stop();
});
