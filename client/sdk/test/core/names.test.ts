import { expect, test } from "vitest";
import { checkName, toData } from "../../src/core/json";
import { createLocalCollection } from "../../src/index";

const refused = expect.objectContaining({ code: "value_invalid" }) as Error;

test.each([
  ["an id", (name: string) => checkName(name)],
  ["a field", (name: string) => toData({ [name]: 1 }, "tasks")],
  ["a collection", (name: string) => createLocalCollection({ name })],
])("the name of %s is 1 to 128 bytes of text, as for the hub", (_, make) => {
  for (const name of ["a", "a b", "é".repeat(64), "n".repeat(128)])
    expect(() => make(name)).not.toThrow();
  for (const name of ["", "n".repeat(129), `${"é".repeat(64)}n`, "a\n", "\u007f", "\ud800"])
    expect(() => make(name)).toThrow(refused);
});

test("names within a value are the value's own", () => {
  const value = { "": { ["n".repeat(129)]: 1 } };
  expect(toData({ value }, "tasks")).toEqual({ value });
});
