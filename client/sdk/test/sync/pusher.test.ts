import fc from "fast-check";
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
    next: async (after, most) => {
      const left = outbox.filter(({ m }) => m > after);
      return { muts: left.slice(0, most), more: left.length > most };
    },
    send: (muts) => pushes.push(muts.map(({ m }) => m)),
    pushing: () => {},
    failed: (error) => {
      throw error;
    },
  });
  const write = async (count = 1) => {
    for (let more = 0; more < count; more++) outbox.push({ m: outbox.length + 1, changes: [] });
    made.wrote();
    await vi.advanceTimersByTimeAsync(1);
  };
  const comesBack = async () => {
    made.open();
    await vi.advanceTimersByTimeAsync(0);
    return pushes.splice(0).map(({ length }) => length);
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
  return { made, pushes, write, judged, comesBack };
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

/** How a link ends that breaks. */
const LOST = { is: "lost" } as const;

test("what breaks off in a push again and again is pushed in less and less, one after the other", async () => {
  const { made, write, comesBack } = pusher();
  await write(120);
  const tried = [];
  for (let link = 0; link < 9; link++) {
    tried.push(await comesBack());
    made.close(LOST);
  }
  expect(tried).toEqual([[100, 20], [100, 20], [50], [25], [12], [6], [3], [1], [1]]);
});

test("a push for which the hub waited too long is halved at once", async () => {
  const { made, write, comesBack } = pusher();
  await write(120);
  await comesBack();
  made.close({ ...LOST, slow: true });
  expect(await comesBack()).toEqual([50]);
});

test("a link that ends between pushes, or that this side ends, says nothing of the line", async () => {
  const { made, write, comesBack } = pusher();
  for (let link = 0; link < 5; link++) {
    expect(await comesBack()).toEqual([]);
    made.close(LOST);
  }
  await write(9);
  for (let link = 0; link < 5; link++) {
    expect(await comesBack()).toEqual([9]);
    made.close();
  }
});

test("what gets through in parts grows to the whole again", async () => {
  const { made, pushes, write, judged, comesBack } = pusher();
  await write(300);
  for (let link = 0; link < 9; link++) {
    await comesBack();
    made.close(LOST);
  }
  expect(await comesBack()).toEqual([1]);
  const grown = [];
  for (let m = 1; m <= 300;) {
    const last = pushes.length > 0 ? pushes.flat().at(-1)! : m;
    grown.push(pushes.splice(0).map(({ length }) => length));
    await judged(...Array.from({ length: last - m + 1 }, (_, at) => m + at));
    m = last + 1;
  }
  expect(grown).toEqual([[], [2], [4], [8], [16], [32], [64], [100, 73]]);
});

test("a refusal is an answer: what it was of is pushed again, also on a line that broke", async () => {
  const { made, pushes, write, comesBack } = pusher();
  await write(4);
  await comesBack();
  made.close({ ...LOST, slow: true });
  expect(await comesBack()).toEqual([2]);
  expect(made.isStuck).toBe(true);
  made.pause(500);
  expect(made.isStuck).toBe(false);
  await vi.advanceTimersByTimeAsync(500);
  expect(pushes).toEqual([[1, 2]]);
});

test("a link that answered a push is not stuck, whatever it has under way", async () => {
  const { made, write, judged, comesBack } = pusher();
  expect(made.isStuck).toBe(false);
  await write();
  await comesBack();
  expect(made.isStuck).toBe(true);
  await judged(1);
  await write();
  expect(made.isStuck).toBe(false);
  made.close();
  await comesBack();
  expect(made.isStuck).toBe(true);
});

test("whatever a line carries of a backlog before it breaks, all gets through in order", async () => {
  /** What becomes of a link: mutations it carries, and whether the last answer gets back. */
  const link = fc.record({ carries: fc.integer({ min: 1, max: 150 }), answers: fc.boolean() });
  const lines = fc.array(link, { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 400 }), lines, async (count, cycle) => {
      const taken: number[] = [];
      let answered = 0;
      let answers: (() => void)[] = [];
      let [left, isAnswered, isBroken] = [0, true, false];
      const made = new Pusher(0, () => 1_000, {
        next: async (after, most) => {
          const from = Math.max(after, answered) + 1;
          const length = Math.min(most, 100, count - from + 1);
          const muts = Array.from({ length: Math.max(0, length) }, (_, at) => {
            return { m: from + at, changes: [] };
          });
          return { muts, more: from + muts.length <= count };
        },
        send: (muts) => {
          left -= muts.length;
          isBroken ||= left < 0;
          if (isBroken) return;
          // The hub takes a number once, and the next one only.
          for (const { m } of muts) {
            expect(m).toBeLessThanOrEqual(taken.length + 1);
            if (m > taken.length) taken.push(m);
          }
          answers.push(() => {
            answered = muts.at(-1)!.m;
            const results = muts.map(({ m }): Result => {
              return { m, status: "applied", seq: m, code: "", message: "" };
            });
            made.answered(results);
            made.flush();
          });
        },
        pushing: () => {},
        failed: (error) => {
          throw error;
        },
      });
      for (let links = 0; answered < count; links++) {
        const { carries, answers: last } = cycle[links % cycle.length]!;
        [left, isAnswered, isBroken, answers] = [carries, links % 3 === 0 || last, false, []];
        made.open();
        await vi.advanceTimersByTimeAsync(0);
        while (answers.length > (isAnswered ? 0 : 1)) {
          answers.shift()!();
          await vi.advanceTimersByTimeAsync(0);
        }
        made.close(LOST);
        if (links > 20 * count) throw new Error("it does not get through");
      }
      expect(taken).toEqual(Array.from({ length: count }, (_, at) => at + 1));
    }),
    { numRuns: 50 },
  );
});
