import fc from "fast-check";
import { expect, test } from "vitest";
import { apps, collectionsOf, parse, type App, type Field, type Table } from "../src/index";
import { clock, day, faultIn, moment } from "../src/fields";
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

test.each([
  [
    day,
    "2026-02-28",
    "2028-02-29",
    "2000-02-29",
    "2026-12-31",
    "2026-01-01",
    "1000-01-01",
    "9999-12-31",
  ],
  [clock, "00:00", "09:30", "23:59"],
  [
    moment,
    "2026-11-24T10:00:00Z",
    "2026-11-24T00:00:00.000Z",
    "2026-11-24T23:59:59.999Z",
    "2028-02-29T10:00:00.123456789Z",
    "9999-12-31T23:59:59.999Z",
    new Date(0).toISOString(),
  ],
] as const)("%j takes what there is", (field, ...values) => {
  for (const value of values) expect([value, faultIn("it", field, value)]).toEqual([value, null]);
});

test.each([
  [
    day,
    "2026-02-29",
    "2026-02-30",
    "1900-02-29",
    "2026-04-31",
    "2026-00-10",
    "2026-13-01",
    "2026-01-00",
    "2026-01-32",
    "2026-1-1",
    "26-01-01",
    "10000-01-01",
    "+010000-01-01",
    "2026-01-01T00:00:00Z",
    "2026-01-01\n",
    " 2026-01-01",
    "",
  ],
  [clock, "24:00", "23:60", "7:30", "07:30:00", "07:30Z", "-1:00", "07.30", "07:30\n", ""],
  [
    moment,
    "2026-11-24",
    "2026-11-24T10:00Z",
    "2026-11-24T10:00:00",
    "2026-11-24T10:00:00+00:00",
    "2026-11-24T10:00:00+01:00",
    "2026-11-24T10:00:00z",
    "2026-11-24t10:00:00Z",
    "2026-11-24 10:00:00Z",
    "2026-11-24T24:00:00Z",
    "2026-11-24T10:60:00Z",
    "2026-11-24T23:59:60Z",
    "2026-11-24T10:00:00.Z",
    "2026-11-24T10:00:00.1234567890Z",
    "2026-02-30T10:00:00Z",
    "2026-13-01T10:00:00Z",
    "+010000-01-01T00:00:00.000Z",
    "",
  ],
] as const)("%j takes nothing that there is not", (field, ...values) => {
  for (const value of values)
    expect([value, faultIn("it", field, value)]).toEqual([value, `it: is no ${field.shape.is}`]);
});

test.each(all)("%s indexes fields that browsers can index", (_, { fields, indexes }) => {
  for (const name of indexes)
    expect(["flag", "list", "object"]).not.toContain(fields[name]!.shape.is);
});

/** What the first user's devices hold by these names: another name is another, empty collection. */
const NAMES = {
  todo: ["tasks", "projects", "labels", "taskLabels", "reminders"],
  quotes: ["favorites", "lists"],
  calendar: ["calendars", "events"],
  clock: ["alarms", "timers", "worldClocks"],
  cards: ["decks", "cards"],
  contacts: ["contacts"],
  picture: ["images", "boards", "boardItems", "tags", "imageTags"],
  presi: ["decks", "slides"],
  inventar: ["collections", "items", "locations", "categories"],
  food: ["meals", "goals", "favorites"],
  planta: ["plants", "plantPhotos", "wateringSchedules", "wateringLogs"],
  storage: ["files", "folders", "tags", "fileTags"],
  chat: ["conversations", "messages", "templates"],
  questions: ["collections", "questions", "answers"],
  mukke: ["songs", "playlists", "playlistSongs", "projects", "markers"],
  context: ["spaces", "documents"],
  photos: ["albums", "albumItems", "favorites", "tags", "photoTags"],
  skilltree: ["skills", "activities", "achievements"],
  citycorners: ["locations", "favorites"],
};

test("all apps and their collections are there, by their names", () => {
  const names = apps.map((app) => [
    app.id,
    Object.values(collectionsOf(app as App)).map(({ name }) => name),
  ]);
  expect(Object.fromEntries(names)).toEqual(NAMES);
});

test("a reference names a table of its app", () => {
  for (const app of apps)
    for (const { fields } of Object.values<Table>(app.tables))
      for (const { shape } of Object.values(fields))
        if (shape.is === "reference") expect(Object.keys(app.tables)).toContain(shape.table);
});
