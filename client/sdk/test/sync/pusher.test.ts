import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Mutation, Result } from "../../src/core/wire";
import { Pusher } from "../../src/sync/pusher";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A pusher over an outbox that a test fills, and the pushes it made. */
function pusher() {
  const outbox: Mutation[] = [];
  const pushes: number[][] = [];
  const made = new Pusher(0, () => 1_000, {
    next: async (after) => ({ muts: outbox.filter(({ m }) => m > after), more: false }),
    send: (muts) => pushes.push(muts.map(({ m }) => m)),
    pushing: () => {},
    failed: (error) => {
      throw error;
    },
  });
  const write = async () => {
    outbox.push({ m: outbox.length + 1, changes: [] });
    made.wrote();
    await vi.advanceTimersByTimeAsync(1);
  };
  const judged = async (...numbers: number[]) => {
    const results = numbers.map((m): Result => {
      return { m, status: "applied", seq: m, code: "", message: "" };
    });
    const at = made.answered(results);
    made.flush();
    await vi.advanceTimersByTimeAsync(0);
    return at;
  };
  return { made, pushes, write, judged };
}

test("what is written while a push is unanswered goes together when it is", async () => {
  const { made, pushes, write, judged } = pusher();
  made.open();
  await write();
  for (let more = 0; more < 3; more++) await write();
  expect(pushes).toEqual([[1]]);
  expect(await judged(1)).toBe(1_000);
  expect(pushes).toEqual([[1], [2, 3, 4]]);
  await judged(2, 3, 4);
  await write();
  expect(pushes).toEqual([[1], [2, 3, 4], [5]]);
});

test("an answer that does not come holds nothing up", async () => {
  const { made, pushes, write } = pusher();
  made.open();
  await write();
  await write();
  await vi.advanceTimersByTimeAsync(100);
  expect(pushes).toEqual([[1], [2]]);
});

test("verdicts of a part of a push leave the rest unanswered", async () => {
  const { made, pushes, write, judged } = pusher();
  await write();
  await write();
  made.open();
  await vi.advanceTimersByTimeAsync(0);
  expect(pushes).toEqual([[1, 2]]);
  await judged(1);
  await write();
  expect(pushes).toEqual([[1, 2]]);
  expect(await judged(2)).toBe(1_000);
  expect(pushes).toEqual([[1, 2], [3]]);
});

test("a pause sends nothing, and then everything without a verdict again", async () => {
  const { made, pushes, write } = pusher();
  made.open();
  await write();
  made.pause(500);
  await write();
  await vi.advanceTimersByTimeAsync(400);
  expect(pushes).toEqual([[1]]);
  await vi.advanceTimersByTimeAsync(200);
  expect(pushes).toEqual([[1], [1, 2]]);
});

test("what was asked for before a refusal is not sent as if it followed", async () => {
  const pushes: number[][] = [];
  let answer: (push: { muts: Mutation[]; more: boolean }) => void = () => {};
  const made = new Pusher(0, () => 1_000, {
    next: (after) => {
      if (after > 0) return new Promise((resolve) => (answer = resolve));
      return Promise.resolve({ muts: [{ m: 1, changes: [] }], more: false });
    },
    send: (muts) => pushes.push(muts.map(({ m }) => m)),
    pushing: () => {},
    failed: () => {},
  });
  made.open();
  await vi.advanceTimersByTimeAsync(0);
  made.flush();
  await vi.advanceTimersByTimeAsync(0);
  // It is refused while the next ones are read, and all of it asked for again.
  made.pause(10);
  made.resume();
  answer({ muts: [{ m: 2, changes: [] }], more: false });
  await vi.advanceTimersByTimeAsync(0);
  expect(pushes).toEqual([[1], [1]]);
  made.close();
});

test("a link that ends takes what it sent along", async () => {
  const { made, pushes, write, judged } = pusher();
  made.open();
  await write();
  made.close();
  expect(await judged(1)).toBeNull();
  made.open();
  await vi.advanceTimersByTimeAsync(0);
  expect(pushes).toEqual([[1], [1]]);
});
