/**
 * Every collection of every app between two devices and a real hub: what one inserts, edits and
 * deletes the other shows, and of what both do at once the later stays, field by field, at both, at
 * the hub and at a device that comes afterwards. `APPS_SEED` repeats a run.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apps, type Fields, type Table } from "../src/index";
import { Hub } from "../../sdk/test/hub";
import { Device, meet, part, type Fieldset } from "./device";
import { emptied, fullOf, leastOf, recordOf, valueOf, wholeOf } from "./values";

const SEED = Number(process.env["APPS_SEED"] ?? Date.now() % 1_000_000);

/** Records of each collection, each of which meets one fate. */
const FATES = [
  "edited",
  "filled",
  "emptied",
  "won by one",
  "won by the other",
  "merged",
  "deleted",
  "deleted and edited",
  "left alone",
] as const;

/** Records that both insert while they are apart, by who did so later. */
const TWINS = ["inserted by both, later by one", "inserted by both, later by the other"] as const;

/** Between two edits of a contested record, by the devices' clocks. */
const APART_MS = 20;

let hub: Hub;
let draws = SEED;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const draw = (from: fc.Arbitrary<Fieldset>): Fieldset =>
  fc.sample(from, { seed: draws++, numRuns: 1 })[0]!;

/** What a record is inserted as. */
function inserted(fate: (typeof FATES)[number], fields: Fields): Fieldset {
  if (fate === "filled") return leastOf(fields);
  return draw(fate === "emptied" ? fullOf(fields) : recordOf(fields));
}

/** What the two say of a record: each of every field, and never the same. */
function rivals(fields: Fields): { one: Fieldset; other: Fieldset } {
  const one = draw(wholeOf(fields));
  const others = Object.entries(fields).map(([name, field]) => {
    const differs = valueOf(field).filter((drawn) => !isDeepStrictEqual(drawn, one[name]));
    return [name, fc.sample(differs, { seed: draws++, numRuns: 1 })[0]];
  });
  return { one, other: Object.fromEntries(others) };
}

/** The same with the fields by turns: those of both, of one, of the other. */
function shares(fields: Fields): { one: Fieldset; other: Fieldset } {
  const { one, other } = rivals(fields);
  const names = Object.keys(fields);
  const pick = (values: Fieldset, without: number) =>
    Object.fromEntries(
      names.filter((_, at) => at % 3 !== without).map((name) => [name, values[name]]),
    );
  return { one: pick(one, 2), other: pick(other, 1) };
}

describe.each(apps)("$id", (app) => {
  test(`inserts, edits, conflicts and deletes converge (APPS_SEED=${SEED})`, async () => {
    const [one, other] = [new Device(hub, app, "ada"), new Device(hub, app, "ada")];
    const both = [one, other];
    const tables = Object.entries<Table>(app.tables);
    const expected: Record<string, Fieldset> = {};

    for (const [table, { fields }] of tables)
      for (const fate of FATES) {
        const data = inserted(fate, fields);
        expected[`${table}/${fate}`] = data;
        await one.of(table).insert({ id: fate, ...data });
      }
    await meet(both);
    expect(await hub.holds("ada", app.id)).toEqual(expected);
    for (const device of both) expect(await device.shows()).toEqual(expected);

    part(both);
    let clock = Date.now();
    const later = () => (clock += APART_MS);
    for (const [table, { fields }] of tables) {
      for (const device of both) device.at = later();
      for (const [fate, edit] of [
        ["edited", draw(recordOf(fields))],
        ["filled", draw(fullOf(fields))],
        ["emptied", emptied(fields)],
      ] as const) {
        await one.of(table).update(fate, edit);
        const key = `${table}/${fate}`;
        expected[key] = { ...expected[key], ...edit };
      }
      // The later edit is made first here and second there: what counts is when each says it was.
      for (const [fate, said, winner, loser] of [
        ["won by one", rivals(fields), one, other],
        ["won by the other", rivals(fields), other, one],
        ["merged", shares(fields), one, other],
      ] as const) {
        loser.at = later();
        winner.at = later();
        await one.of(table).update(fate, said.one);
        await other.of(table).update(fate, said.other);
        const [last, first] = winner === one ? [said.one, said.other] : [said.other, said.one];
        const key = `${table}/${fate}`;
        expected[key] = { ...expected[key], ...first, ...last };
      }
      for (const [id, winner, loser] of [
        [TWINS[0], one, other],
        [TWINS[1], other, one],
      ] as const) {
        // The one has fields that the other leaves out, and they stay.
        const said = { one: draw(fullOf(fields)), other: draw(recordOf(fields)) };
        loser.at = later();
        winner.at = later();
        await one.of(table).insert({ id, ...said.one });
        await other.of(table).insert({ id, ...said.other });
        const [last, first] = winner === one ? [said.one, said.other] : [said.other, said.one];
        expected[`${table}/${id}`] = { ...first, ...last };
      }
      await other.of(table).delete("deleted");
      await one.of(table).delete("deleted and edited");
      await other.of(table).update("deleted and edited", draw(wholeOf(fields)));
      for (const gone of ["deleted", "deleted and edited"]) delete expected[`${table}/${gone}`];
    }
    for (const device of both) device.at = null;
    await meet(both);
    const third = new Device(hub, app, "ada");
    await meet([third]);
    expect(await hub.holds("ada", app.id)).toEqual(expected);
    for (const device of [...both, third]) expect(await device.shows()).toEqual(expected);
    for (const { store } of [...both, third]) {
      expect(await store.rejected.list()).toEqual([]);
      await store.close();
    }
  });
});
