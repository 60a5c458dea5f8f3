/** Values of every type a field may have, from a seed. */
import fc from "fast-check";
import type { Field, Fields } from "../src/index";

const day = fc
  .integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) })
  .map((ms) => new Date(ms).toISOString());

/** What the tests draw from: all JSON texts but lone surrogates and NUL, which nobody stores. */
const text = fc
  .oneof(fc.string({ unit: "grapheme", maxLength: 40 }), fc.string({ maxLength: 400 }))
  .filter((drawn) => !drawn.includes("\0"));

function required({ shape }: Field): fc.Arbitrary<unknown> {
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
      return fc.array(valueOf(shape.of), { maxLength: 4 });
    case "object":
      return recordOf(shape.of);
  }
}

/** `null` now and then, where the field may be. */
export function valueOf(field: Field): fc.Arbitrary<unknown> {
  return field.isOptional ? fc.option(required(field), { freq: 4 }) : required(field);
}

export function recordOf(fields: Fields): fc.Arbitrary<Record<string, unknown>> {
  const each = Object.entries(fields).map(([name, field]) => [name, valueOf(field)]);
  return fc.record(Object.fromEntries(each) as Record<string, fc.Arbitrary<unknown>>, {
    noNullPrototype: true,
  });
}
