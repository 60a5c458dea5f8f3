import { expect, test } from "vitest";
import fc from "fast-check";
import { fits, packed, weigh } from "../../src/core/weight";
import type { Change } from "../../src/core/wire";

const change = (id: string, bytes: number): Change => ({
  table: "tasks",
  id,
  op: "insert",
  insertedAt: "2026-01-01T00:00:00.000Z",
  data: { text: "x".repeat(bytes) },
});

test("what is packed is all of it in its order, and what fits alone fits packed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 300 }),
      fc.integer({ min: 600, max: 6_000 }),
      fc.integer({ min: 1, max: 300 }),
      (sizes, message_bytes, changes_per_push) => {
        const limits = { message_bytes, changes_per_push };
        const changes = sizes.map((bytes, at) => change(`k${at}`, bytes));
        const packs = packed(changes, (one) => one, limits);
        expect(packs.flat()).toEqual(changes);
        for (const pack of packs) {
          expect(pack.length).toBeLessThanOrEqual(200);
          if (pack.length > 1) expect(fits(weigh(pack), limits)).toBe(true);
        }
      },
    ),
  );
});

test("many small changes go together", () => {
  const changes = Array.from({ length: 201 }, (_, at) => change(`k${at}`, 1));
  const limits = { message_bytes: 1 << 20, changes_per_push: 5_000 };
  expect(packed(changes, (one) => one, limits).map(({ length }) => length)).toEqual([200, 1]);
});
