import fc from "fast-check";
import { expect, test } from "vitest";
import { apps, parse, type Field, type Table } from "../src/index";
import { recordOf } from "./values";

const all: [string, Table][] = apps.flatMap((app) =>
  Object.entries<Table>(app.tables).map(([name, table]): [string, Table] => [
    `${app.id}.${name}`,
    table,
  ]),
);

/** A value of no field of the shape. */
const WRONG = { text: 1, number: "1", whole: 1.5, flag: 0, day: "2026-13-01", clock: "24:00" };
const wrongFor = ({ shape }: Field): unknown =>
  ({ ...WRONG, moment: "2026-11-24", reference: 7, choice: "no such", list: {}, object: [] })[
    shape.is
  ];

test.each(all)("%s takes what its fields are, and nothing else", (_, { fields }) => {
  fc.assert(
    fc.property(recordOf(fields), (record) => {
      expect(parse(fields, { ...record, ofAnotherVersion: 1 })).toBeTruthy();
      for (const [name, field] of Object.entries(fields)) {
        const withThis = (value: unknown) => () => parse(fields, { ...record, [name]: value });
        expect(withThis(wrongFor(field))).toThrow(name);
        if (field.isOptional) expect(withThis(null)).not.toThrow();
        else expect(withThis(null)).toThrow(`${name}: is missing`);
      }
    }),
    { numRuns: 10 },
  );
});

test.each(all)("%s indexes fields that browsers can index", (_, { fields, indexes }) => {
  for (const name of indexes)
    expect(["flag", "list", "object"]).not.toContain(fields[name]!.shape.is);
});

test("a reference names a table of its app", () => {
  for (const app of apps)
    for (const { fields } of Object.values<Table>(app.tables))
      for (const { shape } of Object.values(fields))
        if (shape.is === "reference") expect(Object.keys(app.tables)).toContain(shape.table);
});
