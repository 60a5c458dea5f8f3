/** Values of every type a field may have, drawn from a seed; and the least and the most of them. */
import fc from "fast-check";
import type { Field, Fields } from "../src/index";
import type { Shape } from "../src/fields";

const day = fc
  .integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) })
  .map((ms) => new Date(ms).toISOString());

/** What the tests draw from: all JSON texts but lone surrogates and NUL, which nobody stores. */
const text = fc
  .oneof(fc.string({ unit: "grapheme", maxLength: 40 }), fc.string({ maxLength: 400 }))
  .filter((drawn) => !drawn.includes("\0"));

/** With `full` nothing in it is left out, `null` or an empty list. */
function given({ shape }: Field, how: "any" | "full"): fc.Arbitrary<unknown> {
  switch (shape.is) {
    case "text":
      return text;
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((drawn) => drawn + 0);
    case "whole":
      return fc.maxSafeInteger().map((drawn) => drawn + 0);
    case "flag":
      return fc.boolean();
    case "day":
      return day.map((drawn) => drawn.slice(0, 10));
    case "clock":
      return day.map((drawn) => drawn.slice(11, 16));
    case "moment":
      return day;
    case "reference":
      return fc.uuid();
    case "choice":
      return fc.constantFrom(...shape.of);
    case "list":
      return how === "full"
        ? fc.array(given(shape.of, how), { minLength: 1, maxLength: 4 })
        : fc.array(valueOf(shape.of), { maxLength: 4 });
    case "object":
      return how === "full" ? fullOf(shape.of) : recordOf(shape.of);
  }
}

/** `null` now and then, where the field may be. */
export function valueOf(field: Field): fc.Arbitrary<unknown> {
  const value = given(field, "any");
  return field.isOptional ? fc.option(value, { freq: 4 }) : value;
}

type Drawn = fc.Arbitrary<Record<string, unknown>>;

const drawEach = (
  fields: Fields,
  valueOf: (field: Field) => fc.Arbitrary<unknown>,
  { isOptionalLeftOut }: { isOptionalLeftOut: boolean },
): Drawn => {
  const all = Object.entries(fields);
  const each = all.map(([name, field]) => [name, valueOf(field)]);
  const needed = all.filter(([, field]) => !isOptionalLeftOut || !field.isOptional);
  return fc.record(Object.fromEntries(each) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: needed.map(([name]) => name),
    noNullPrototype: true,
  });
};

/** What may be left out is, now and then. */
export const recordOf = (fields: Fields): Drawn =>
  drawEach(fields, valueOf, { isOptionalLeftOut: true });

/** With every field, some of which may be `null`. */
export const wholeOf = (fields: Fields): Drawn =>
  drawEach(fields, valueOf, { isOptionalLeftOut: false });

/** With every field, and something in each. */
export const fullOf = (fields: Fields): Drawn =>
  drawEach(fields, (field) => given(field, "full"), { isOptionalLeftOut: false });

const LEAST = {
  text: "",
  reference: "",
  number: 0,
  whole: 0,
  flag: false,
  day: "1000-01-01",
  clock: "00:00",
  moment: "1000-01-01T00:00:00Z",
  list: [],
};

/** What is optional is left out; lists and texts are empty. */
export function leastOf(fields: Fields): Record<string, unknown> {
  const needed = Object.entries(fields).filter(([, { isOptional }]) => !isOptional);
  return Object.fromEntries(needed.map(([name, { shape }]) => [name, least(shape)]));
}

function least(shape: Shape): unknown {
  if (shape.is === "choice") return shape.of[0];
  return shape.is === "object" ? leastOf(shape.of) : LEAST[shape.is];
}

/** The same with `null` for what is optional: no update leaves anything out. */
export const emptied = (fields: Fields): Record<string, unknown> => ({
  ...Object.fromEntries(Object.keys(fields).map((name) => [name, null])),
  ...leastOf(fields),
});
