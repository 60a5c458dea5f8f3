import { describe, expect, test } from "vitest";
import { SynclineError } from "../../src/core/errors";
import { compare, format } from "../../src/core/hlc";
import { parse } from "../../src/core/rfc3339";
import { toJson, type JsonObject } from "../../src/core/json";
import { canonical } from "../../src/core/canonical";
import { recordSum } from "../../src/core/sum";
import { overlay } from "../../src/core/overlay";
import type { Change } from "../../src/core/wire";
import { vectors } from "../vectors";

interface Case {
  name: string;
  rule: string;
}

describe("stamps", () => {
  interface Stamps {
    parse: (Case & {
      text: string;
      refused?: true;
      wall_ms: number;
      counter: number;
      canonical: string;
    })[];
    order: (Case & { ascending: { at: string; writer: number }[] })[];
  }
  const stamps = vectors<Stamps>("stamps");

  test.each(stamps.parse)("$name: $rule", (one) => {
    const read = parse(one.text);
    if (one.refused) return expect(read).toBeNull();
    expect(read).toEqual({ wall: one.wall_ms, counter: one.counter });
    expect(read && format(read)).toBe(one.canonical);
  });

  test.each(stamps.order)("$name: $rule", ({ ascending }) => {
    for (const [at, later] of ascending.slice(1).entries()) {
      const earlier = ascending[at];
      // The writer's number is the hub's affair; here equal times are equal.
      const order = compare(parse(later.at)!, parse(earlier!.at)!);
      expect(order > 0 || (order === 0 && later.writer > earlier!.writer)).toBe(true);
    }
  });
});

describe("canonical JSON", () => {
  interface Text extends Case {
    text: string;
    canonical?: string;
    code?: string;
    text_only?: true;
  }
  const { cases } = vectors<{ cases: Text[] }>("canonical");

  test.each(cases.filter((one) => !one.text_only))(
    "$name: $rule",
    ({ text, canonical: wanted, code }) => {
      const written = () => {
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          throw new SynclineError("value_invalid", "no JSON");
        }
        return canonical(toJson(value));
      };
      if (wanted !== undefined) return expect(written()).toBe(wanted);
      expect(written).toThrow(expect.objectContaining({ code }));
    },
  );

  test("a record's sum is the hub's", () => {
    expect(recordSum("t", "k1", { done: true }).toString(16)).toBe("82c28250");
    // Longer than those before it, and shorter again.
    expect(recordSum("t", "k1", { note: "€".repeat(5_000) }).toString(16)).toBe("5f73805c");
    expect(recordSum("t", "k1", { done: true }).toString(16)).toBe("82c28250");
  });

  test.each([
    [{ b: { z: 1, a: 2 }, c: 3 }, '{"b":{"a":2,"z":1},"c":3}'],
    [[{ a: 1 }, { b: 1, a: 2 }], '[{"a":1},{"a":2,"b":1}]'],
    // Engines have whole numbers first, the smallest of them at first.
    [{ a: { "9": 1, "10": 2 } }, '{"a":{"10":2,"9":1}}'],
    [{ "": 1, "\u20ac": 2, "\ud83d\ude00": 3, "\uffee": 4 }, '{"":1,"€":2,"😀":3,"\uffee":4}'],
  ] as const)("members of %j are put in order, however deep", (value, text) => {
    expect(canonical(value as never)).toBe(text);
  });
});

describe("overlay", () => {
  interface Overlay extends Case {
    record: { table: string; id: string };
    server: JsonObject | null;
    pending: { m: number; changes: Change[] }[];
    shows: JsonObject | null;
  }
  test.each(vectors<{ cases: Overlay[] }>("overlay").cases)("$name: $rule", (one) => {
    const { table, id } = one.record;
    const before = structuredClone([one.server, one.pending]);
    const inOrder = [...one.pending].sort((a, b) => a.m - b.m).map((mutation) => mutation.changes);
    expect(overlay(table, id, one.server, inOrder)).toEqual(one.shows);
    expect([one.server, one.pending]).toEqual(before);
  });
});
