/** Which of a device's pages and workers shows what: each thing is shown by one of them, once. */
import fc from "fast-check";
import { IDBFactory } from "fake-indexeddb";
import { expect, test } from "vitest";
import { withoutRoom } from "../device";
import {
  claim,
  claimShow,
  forgetRegistered,
  keepRegistered,
  markStale,
  registered,
  SHOWN_MAX,
} from "../../src/notifications/kept";

const key = (n: number) => `reminders/r${n}@1795514400000`;
const keys = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => key(from + at));

test("a key is given to who asks first, in the order that was asked, and to nobody again", async () => {
  const disk = new IDBFactory();
  expect(await claim("todo", [key(2), key(1), key(2)], disk)).toEqual([key(2), key(1)]);
  expect(await claim("todo", [key(1), key(3)], disk)).toEqual([key(3)]);
  expect(await claim("todo", [], disk)).toEqual([]);
});

test("an app takes none from another of the same origin", async () => {
  const disk = new IDBFactory();
  await claim("todo", [key(1)], disk);
  expect(await claim("planta", [key(1)], disk)).toEqual([key(1)]);
});

test("two tabs and a worker that ask at once get each key once between them", async () => {
  const some = fc.uniqueArray(fc.integer({ min: 0, max: 12 }).map(key), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(some, { minLength: 2, maxLength: 6 }), async (asked) => {
      const disk = new IDBFactory();
      const given = (await Promise.all(asked.map((each) => claim("todo", each, disk)))).flat();
      expect([...given].sort()).toEqual([...new Set(asked.flat())].sort());
    }),
    { numRuns: 60 },
  );
});

test("of two that ask for all at once one gets all: a transaction is not mixed with another", async () => {
  const disk = new IDBFactory();
  const all = keys(0, 40);
  const given = await Promise.all([1, 2, 3].map(() => claim("todo", all, disk)));
  expect(given.map(({ length }) => length).sort((a, b) => a - b)).toEqual([0, 0, 40]);
});

test("the newest thousand are remembered, and the oldest is forgotten for one more", async () => {
  const disk = new IDBFactory();
  await claim("todo", keys(0, SHOWN_MAX), disk);
  expect(await claim("todo", [key(0), key(SHOWN_MAX - 1)], disk)).toEqual([]);
  await claim("todo", [key(SHOWN_MAX)], disk);
  expect(await claim("todo", [key(1), key(SHOWN_MAX)], disk)).toEqual([]);
  // It takes the place of the second.
  expect(await claim("todo", [key(0)], disk)).toEqual([key(0)]);
  expect(await claim("todo", [key(2)], disk)).toEqual([]);
  expect(await claim("todo", [key(1)], disk)).toEqual([key(1)]);
});

test("without room nothing is taken, and what was asked for is shown all the same", async () => {
  const disk = new IDBFactory();
  await claim("todo", [key(0)], disk);
  await withoutRoom(async () => {
    await expect(claim("todo", [key(1)], disk)).rejects.toMatchObject({ code: "quota" });
    const one = { id: "n1", items: [{ key: key(1) }], more: 0 };
    expect(await claimShow("todo", one, disk)).toBe(true);
  });
  expect(await claim("todo", [key(1)], disk)).toEqual([key(1)]);
});

test("a browser without a database is told so", async () => {
  const none = {
    open: () => {
      throw new DOMException("denied", "SecurityError");
    },
  };
  const asked = claim("todo", [key(1)], none as unknown as IDBFactory);
  await expect(asked).rejects.toMatchObject({ name: "SynclineError", code: "storage" });
});

test("a notification is to be shown once, also where one who tells of it has room for less", async () => {
  const disk = new IDBFactory();
  const items = keys(0, 3).map((key) => ({ key }));
  const cut = { id: "n1", items: items.slice(0, 1), more: 2 };
  expect(await claimShow("todo", cut, disk)).toBe(true);
  expect(await claimShow("todo", { id: "n1", items, more: 0 }, disk)).toBe(false);
  expect(await claimShow("todo", cut, disk)).toBe(false);
});

test("what was shown thing by thing is not shown again together, but with something else", async () => {
  const disk = new IDBFactory();
  await claim("todo", [key(1), key(2)], disk);
  const of = (id: string, some: string[], more = 0) => ({
    id,
    items: some.map((key) => ({ key })),
    more,
  });
  expect(await claimShow("todo", of("n1", [key(1), key(2)]), disk)).toBe(false);
  expect(await claimShow("todo", of("n2", [key(1), key(3)]), disk)).toBe(true);
  // What is not named may be new.
  expect(await claimShow("todo", of("n3", [key(1)], 1), disk)).toBe(true);
  expect(await claimShow("todo", of("n4", []), disk)).toBe(true);
  expect(await claimShow("todo", of("n4", []), disk)).toBe(false);
});

test("a registration is kept by app, and all of them are to be renewed at once", async () => {
  const disk = new IDBFactory();
  const row = (app: string) => ({
    app,
    device: `of ${app}`,
    endpoint: "https://push",
    isStale: false,
  });
  expect(await registered("todo", disk)).toBeUndefined();
  for (const app of ["todo", "planta"]) await keepRegistered(row(app), disk);
  await markStale(disk);
  expect(await registered("todo", disk)).toEqual({ ...row("todo"), isStale: true });
  await keepRegistered(row("todo"), disk);
  await forgetRegistered("planta", disk);
  expect(await registered("todo", disk)).toEqual(row("todo"));
  expect(await registered("planta", disk)).toBeUndefined();
});
