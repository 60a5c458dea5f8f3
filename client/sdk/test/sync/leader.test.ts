/** Which tab leads, by a lock and by who answers. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { surroundings } from "../../src/surroundings";
import { Tabs } from "../../src/sync/leader";
import { Locks } from "../locks";

/** A channel of tabs of which some are frozen: they hear nothing, and ask nothing. */
class Channel {
  static readonly open = new Set<Channel>();
  isFrozen = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor() {
    Channel.open.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of Channel.open)
      queueMicrotask(() => {
        if (other !== this && !other.isFrozen) other.onmessage?.({ data });
      });
  }
  close(): void {
    Channel.open.delete(this);
  }
}

let locks: Locks;
let tabs: Tabs[];
beforeEach(() => {
  vi.useFakeTimers();
  locks = new Locks();
  tabs = [];
});
afterEach(() => {
  for (const each of tabs) each.stop();
  Channel.open.clear();
  vi.useRealTimers();
});

async function open() {
  const around = surroundings({
    locks: locks as unknown as LockManager,
    BroadcastChannel: Channel as unknown as typeof BroadcastChannel,
    isVisible: () => !channel.isFrozen,
  });
  const tab = new Tabs("db", around, { lead: () => {}, yield: () => {}, heard: () => {} });
  const channel = [...Channel.open].at(-1)!;
  tabs.push(tab);
  tab.start();
  await vi.advanceTimersByTimeAsync(0);
  return { tab, channel };
}

const leading = () => tabs.map((tab) => tab.leads);

test("a leader that does not answer is replaced, and leads no more when it wakes", async () => {
  const first = await open();
  await open();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(leading()).toEqual([true, false]);
  first.channel.isFrozen = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(leading()).toEqual([false, true]);
  first.channel.isFrozen = false;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(leading()).toEqual([false, true]);
});

test("a tab that had asked when the lead fell to it asks again when it leads no more", async () => {
  const [first, second, third] = [await open(), await open(), await open()];
  // The first is closed while the second waits for its answer.
  first.channel.isFrozen = true;
  await vi.advanceTimersByTimeAsync(2_000);
  first.tab.stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(leading()).toEqual([false, true, false]);
  // It is replaced by the third, which is frozen then in its turn.
  second.channel.isFrozen = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(leading()).toEqual([false, false, true]);
  second.channel.isFrozen = false;
  third.channel.isFrozen = true;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(leading()).toEqual([false, true, false]);
});

test("the lead goes round among tabs that are frozen and wake, again and again", async () => {
  const both = [await open(), await open()] as const;
  for (let turn = 0; turn < 4; turn++) {
    both[turn % 2]!.channel.isFrozen = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(leading()).toEqual(turn % 2 ? [true, false] : [false, true]);
    both[turn % 2]!.channel.isFrozen = false;
    await vi.advanceTimersByTimeAsync(5_000);
  }
  // Whoever leads in the end hands over to the other at once.
  both[0].tab.stop();
  await vi.advanceTimersByTimeAsync(0);
  expect(leading()).toEqual([false, true]);
});
