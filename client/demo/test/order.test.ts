import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inOrder, last, placesFor } from "../src/model/order";

interface Placed {
  id: string;
  order: number;
}

const ids = (list: readonly Placed[]) => list.map(({ id }) => id);

/** The list after `id` was moved to `index` of the part of it that is shown. */
function moved(all: Placed[], id: string, index: number, shown: Placed[] = all): Placed[] {
  const given = new Map(placesFor(all, shown, id, index).map((one) => [one.id, one.order]));
  return inOrder(all.map((one) => ({ ...one, order: given.get(one.id) ?? one.order })));
}

/** The ids of `list` with `id` at `index` of the others. */
function wanted(list: Placed[], id: string, index: number): string[] {
  const others = ids(list).filter((one) => one !== id);
  return [...others.slice(0, index), id, ...others.slice(index)];
}

/** Places as they may be stored: the same ones, such as are next to each other, and huge ones. */
const order = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.constantFrom(1, 1 + Number.EPSILON, 1 - Number.EPSILON / 2, 2 ** 53, 2 ** 53 + 2),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const start = fc.array(order, { minLength: 1, maxLength: 8 });
const moves = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 60 });
const begin = (orders: number[]) =>
  inOrder(orders.map((order, n) => ({ id: String.fromCharCode(97 + n), order })));

describe("moving a record", () => {
  test("gives the asked order, however often and whatever places are stored", () => {
    fc.assert(
      fc.property(start, moves, (orders, moves) => {
        let list = begin(orders);
        for (const [from, to] of moves) {
          const { id } = list[from % list.length]!;
          const index = to % list.length;
          const asked = wanted(list, id, index);
          list = moved(list, id, index);
          expect(ids(list)).toEqual(asked);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("in a part of the list gives the asked order there, and leaves all others in theirs", () => {
    fc.assert(
      fc.property(start, fc.nat(255), moves, (orders, mask, moves) => {
        let list = begin(orders);
        const isShown = ({ id }: Placed) => ((mask >> (id.charCodeAt(0) - 97)) & 1) === 1;
        for (const [from, to] of moves) {
          const shown = list.filter(isShown);
          if (shown.length === 0) return;
          const { id } = shown[from % shown.length]!;
          const index = to % shown.length;
          const asked = wanted(shown, id, index);
          const others = ids(list).filter((one) => one !== id);
          list = moved(list, id, index, shown);
          expect(ids(list.filter(isShown))).toEqual(asked);
          expect(ids(list).filter((one) => one !== id)).toEqual(others);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("changes its own place alone where there is room", () => {
    const list = begin([1, 2, 3, 4]);
    expect(placesFor(list, list, "d", 1)).toEqual([{ id: "d", order: 1.5 }]);
    expect(placesFor(list, list, "a", 3)).toEqual([{ id: "a", order: 5 }]);
    expect(placesFor(list, list, "b", 1)).toEqual([]);
  });

  test("parts two records in one place, and changes as few as that takes", () => {
    const list = begin([1, 2, 2, 2, 2, 3]);
    expect(ids(moved(list, "f", 2))).toEqual(["a", "b", "f", "c", "d", "e"]);
    expect(ids(placesFor(list, list, "f", 2))).toEqual(["b", "f"]);
    expect(ids(placesFor(list, list, "a", 3))).toEqual(["a", "e"]);
  });

  test("into the same gap does not end, and gives others new places only now and then", () => {
    let list = begin([1, 2, 3]);
    let given = 0;
    for (let n = 0; n < 300; n++) {
      const id = `m${n}`;
      list = inOrder([...list, { id, order: last(list) }]);
      given += placesFor(list, list, id, 1).length - 1;
      list = moved(list, id, 1);
    }
    expect(ids(list).slice(0, 3)).toEqual(["a", "m299", "m298"]);
    expect(given).toBeLessThan(4 * 300);
  });
});

test("a new record comes last", () => {
  const orders = fc.array(fc.integer({ min: -1e9, max: 1e9 }), { maxLength: 8 });
  fc.assert(
    fc.property(orders, (orders) => {
      expect(last(begin(orders))).toBeGreaterThan(Math.max(...orders, 0));
    }),
  );
});

test("what has no place, or one that is none, stands at 0 and is moved like all others", () => {
  const all = [
    { id: "b" },
    { id: "a", order: NaN },
    { id: "c", order: "1" },
    { id: "d", order: 2 },
  ];
  expect(inOrder(all).map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
  expect(last(all)).toBe(3);
  expect(last([{ id: "b" }])).toBe(1);
  const places = new Map(placesFor(all, inOrder(all), "d", 1).map(({ id, order }) => [id, order]));
  expect([...places.values()].every(Number.isFinite)).toBe(true);
  const after = all.map((one) => ({ ...one, order: places.get(one.id) ?? one.order }));
  expect(inOrder(after).findIndex(({ id }) => id === "d")).toBe(1);
});
