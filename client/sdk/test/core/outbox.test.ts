import { expect, test } from "vitest";
import { backoff } from "../../src/core/backoff";
import { fits, weigh } from "../../src/core/weight";
import { hasForgotten, outcome, pushLength } from "../../src/core/outbox";
import type { Result } from "../../src/core/wire";

const result = (more: Partial<Result>): Result => ({
  m: 1,
  status: "applied",
  seq: 7,
  code: "",
  message: "",
  ...more,
});
const LIMITS = { message_bytes: 1_000, changes_per_push: 10 };

test("what took effect waits for its commit, or for all that was heard of", () => {
  expect(outcome(result({}), 9)).toEqual({ is: "decided", seq: 7, status: "applied" });
  const superseded = result({ status: "superseded" });
  expect(outcome(superseded, 9)).toEqual({ is: "decided", seq: 7, status: "superseded" });
  const untold = result({ seq: null });
  expect(outcome(untold, 9)).toEqual({ is: "decided", seq: 9, status: "applied" });
});

test("a refusal is the user's affair, a number of other changes this client's", () => {
  const refused = result({ status: "rejected", code: "record_too_large", message: "why" });
  expect(outcome(refused, 9)).toEqual({ is: "rejected", code: "record_too_large", message: "why" });
  expect(outcome(result({ status: "rejected", code: "number_reused" }), 9).is).toBe("renumber");
  expect(outcome(result({ status: "known", seq: null }), 9).is).toBe("renumber");
});

test("a delete of what the hub does not know is done, several are made one by one", () => {
  const unknown = result({ status: "rejected", code: "record_unknown", seq: null });
  const deleted = (id: string) => ({ table: "t", id, op: "delete", deletedAt: "" }) as const;
  expect(outcome(unknown, 9, [deleted("a")])).toEqual({
    is: "decided",
    seq: 9,
    status: "applied",
  });
  expect(outcome(unknown, 9, [deleted("a"), deleted("b")])).toEqual({ is: "parted" });
  const update = { table: "t", id: "c", op: "update", fields: {} } as const;
  for (const changes of [[update], [deleted("a"), update], []])
    expect(outcome(unknown, 9, changes).is).toBe("rejected");
  const other = result({ status: "rejected", code: "record_too_large" });
  expect(outcome(other, 9, [deleted("a")]).is).toBe("rejected");
});

test("a hub that knows less than it confirmed has forgotten", () => {
  expect(hasForgotten(0, null)).toBe(false);
  expect(hasForgotten(5, 5)).toBe(false);
  expect(hasForgotten(5, 9)).toBe(false);
  expect(hasForgotten(5, undefined)).toBe(false);
  expect(hasForgotten(5, 4)).toBe(true);
  expect(hasForgotten(5, null)).toBe(true);
});

test("a push holds what the limits allow, and at least one", () => {
  const light = { bytes: 10, changes: 1 };
  expect(pushLength([], LIMITS)).toBe(0);
  expect(pushLength([{ bytes: 9_999, changes: 99 }, light], LIMITS)).toBe(1);
  const fill = (1_000 - 256) / 2 - 64;
  expect(pushLength(Array(9).fill({ bytes: fill, changes: 1 }), LIMITS)).toBe(2);
  expect(pushLength(Array(9).fill({ bytes: fill + 1, changes: 1 }), LIMITS)).toBe(1);
  expect(pushLength(Array(9).fill({ bytes: 1, changes: 5 }), LIMITS)).toBe(2);
  expect(
    pushLength(Array(999).fill(light), { ...LIMITS, message_bytes: 1e9, changes_per_push: 1e9 }),
  ).toBe(100);
});

test("a push is no larger than asked for, and of large mutations holds few", () => {
  const limits = { message_bytes: 1e9, changes_per_push: 1e9 };
  expect(pushLength(Array(9).fill({ bytes: 10, changes: 1 }), limits, 3)).toBe(3);
  expect(pushLength(Array(9).fill({ bytes: 50 << 10, changes: 1 }), limits)).toBe(2);
  expect(pushLength(Array(9).fill({ bytes: 500 << 10, changes: 1 }), limits)).toBe(1);
});

test("bytes are those of UTF-8", () => {
  const change = { table: "t", id: "€", op: "delete", deletedAt: "" } as const;
  const text = JSON.stringify([change]);
  expect(weigh([change])).toEqual({ bytes: text.length + 2, changes: 1 });
});

test("a mutation fits at the limit and not past it", () => {
  const most = 1_000 - 256 - 64;
  expect(fits({ bytes: most, changes: 10 }, LIMITS)).toBe(true);
  expect(fits({ bytes: most + 1, changes: 1 }, LIMITS)).toBe(false);
  expect(fits({ bytes: 1, changes: 11 }, LIMITS)).toBe(false);
});

test("waiting grows to a bound, with full jitter", () => {
  expect(backoff(1, 0)).toBe(0);
  expect(backoff(1, 0.5)).toBe(500);
  expect(backoff(3, 0.5)).toBe(2_000);
  expect(backoff(99, 1)).toBe(30_000);
  expect(backoff(99, 1, true)).toBe(300_000);
});
