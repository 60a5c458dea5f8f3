/**
 * Every collection of every app between two devices and a real hub: what one inserts, edits and
 * deletes the other shows, and what both do at once ends the same at all three. `APPS_SEED` repeats
 * a run.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apps, type Fields, type Table } from "../src/index";
import { Hub } from "../../sdk/test/hub";
import { Device, meet, part, type Fieldset } from "./device";
import { recordOf } from "./values";

const SEED = Number(process.env["APPS_SEED"] ?? Date.now() % 1_000_000);

/** Records of each collection, each of which meets one fate. */
const FATES = ["edited", "contested", "deleted", "deleted and edited", "left alone"] as const;

let hub: Hub;
let draws = SEED;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

const draw = (fields: Fields): Fieldset =>
  fc.sample(recordOf(fields), { seed: draws++, numRuns: 1 })[0]!;

/** The fields by turns: those of both devices, those of one, those of the other. */
function shares(fields: Fields): { one: Fieldset; other: Fieldset; both: string[] } {
  const [first, second] = [draw(fields), draw(fields)];
  const names = Object.keys(fields);
  const pick = (values: Fieldset, without: number) =>
    Object.fromEntries(
      names.filter((_, at) => at % 3 !== without).map((name) => [name, values[name]]),
    );
  return {
    one: pick(first, 2),
    other: pick(second, 1),
    both: names.filter((_, at) => at % 3 === 0),
  };
}

const without = (values: Fieldset, names: string[]) =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));

describe.each(apps)("$id", (app) => {
  test(`inserts, edits, conflicts and deletes converge (APPS_SEED=${SEED})`, async () => {
    const [one, other] = [new Device(hub, app, "ada"), new Device(hub, app, "ada")];
    const both = [one, other];
    const tables = Object.entries<Table>(app.tables);
    const expected: Record<string, Fieldset> = {};

    for (const [table, { fields }] of tables)
      for (const fate of FATES) {
        const data = draw(fields);
        expected[`${table}/${fate}`] = data;
        await one.of(table).insert({ id: fate, ...data });
      }
    await meet(both);
    expect(await hub.holds("ada", app.id)).toEqual(expected);
    for (const device of both) expect(await device.shows()).toEqual(expected);

    part(both);
    const contested: Record<string, { names: string[]; said: Fieldset[] }> = {};
    for (const [table, { fields }] of tables) {
      const edit = draw(fields);
      await one.of(table).update("edited", edit);
      expected[`${table}/edited`] = edit;
      const share = shares(fields);
      await one.of(table).update("contested", share.one);
      await other.of(table).update("contested", share.other);
      const key = `${table}/contested`;
      contested[key] = { names: share.both, said: [share.one, share.other] };
      expected[key] = without({ ...expected[key], ...share.one, ...share.other }, share.both);
      await other.of(table).delete("deleted");
      await one.of(table).delete("deleted and edited");
      await other.of(table).update("deleted and edited", draw(fields));
      for (const gone of ["deleted", "deleted and edited"]) delete expected[`${table}/${gone}`];
    }
    await meet(both);
    const held = (await hub.holds("ada", app.id)) as Record<string, Fieldset>;
    for (const device of both) expect(await device.shows()).toEqual(held);
    for (const [key, { names, said }] of Object.entries(contested)) {
      for (const name of names)
        expect(said.map((values) => values[name])).toContainEqual(held[key]![name]);
      held[key] = without(held[key]!, names);
    }
    expect(held).toEqual(expected);
    for (const { store } of both) {
      expect(await store.rejected.list()).toEqual([]);
      await store.close();
    }
  });
});
