import { expect, test } from "vitest";
import { createLocalCollection, createLocalStore, type Identified } from "../../src/index";
import { Disk, type Task } from "../device";

async function filled() {
  const guest = new Disk().open();
  const records: Task[] = [
    { id: "a", title: "Apples", done: false, n: 3 },
    { id: "b", title: "bread", done: true, n: 1 },
    { id: "c", title: "Cheese", done: false, n: 2 },
    { id: "d", title: "dates", done: true },
  ];
  await guest.store.write(records.map((record) => guest.tasks.edits.insert(record)));
  return guest;
}
const ids = (tasks: Task[]) => tasks.map((task) => task.id).join("");

test.each([
  [{}, "abcd"],
  [{ filter: { done: true } }, "bd"],
  [{ filter: { n: 2 } }, "c"],
  [{ filter: { n: { gt: 1 } } }, "ac"],
  [{ filter: { n: { gte: 1, lt: 3 } } }, "bc"],
  [{ filter: { n: { in: [1, 3] } } }, "ab"],
  [{ filter: { n: { gt: 1 }, done: true } }, ""],
  [{ filter: { title: "bread", n: 1 } }, "b"],
  [{ filter: (task: Task) => task.title.length === 6 }, "ac"],
  [{ sort: "n" as const }, "dbca"],
  [{ sort: "-n" as const }, "acbd"],
  [{ sort: ["done" as const, "-title" as const] }, "cadb"],
  [{ limit: 2 }, "ab"],
  [{ limit: 2, offset: 1 }, "bc"],
  [{ sort: "n" as const, limit: 2 }, "db"],
  [{ filter: { n: { lte: 3 } }, sort: "title" as const, limit: 1 }, "a"],
])("the query %j finds %s", async (query, found) => {
  const { store, tasks } = await filled();
  expect(ids(await tasks.query(query))).toBe(found);
  const { filter } = query as { filter?: Record<string, number> };
  expect(await tasks.count({ filter })).toBe((await tasks.query({ filter })).length);
  await store.close();
});

test("an object is found by what it is, however it is written", async () => {
  const { store, tasks } = await filled();
  const n = (value: unknown) => ({ filter: { n: value as never } });
  await tasks.update("a", n({ b: 1, a: [2] }).filter);
  expect(ids(await tasks.query(n({ a: [2], b: 1 })))).toBe("a");
  expect(ids(await tasks.query(n({})))).toBe("");
  expect(ids(await tasks.query(n({ in: [{ a: [2], b: 1 }, 1] })))).toBe("ab");
  await tasks.update("a", n({}).filter);
  expect(ids(await tasks.query(n({})))).toBe("a");
  // One that is like bounds and more is none.
  expect(ids(await tasks.query(n({ gt: 0, unit: "m" })))).toBe("");
  for (const none of [NaN, { gt: NaN }, { lte: NaN }, { gte: 5, lt: NaN }])
    expect(ids(await tasks.query(n(none)))).toBe("");
  expect(ids(await tasks.query(n({ gte: undefined, lte: 1 })))).toBe("b");
  await store.close();
});

test.each(["due-date", "1st", "a b", "*n", "a.b", "a+b", "[x]", "über", "$n"])(
  "a field named %j may be given as an index",
  async (field) => {
    type Named = Identified & Record<string, unknown>;
    const named = createLocalCollection<Named>({ name: "named", indexes: [field] });
    const surroundings = new Disk().surroundings();
    const store = createLocalStore({ appId: "x", collections: [named], surroundings });
    await named.insert({ id: "k", [field]: "x" });
    await named.insert({ id: "l", [field]: "y" });
    expect(await named.query({ filter: { [field]: "x" } })).toMatchObject([{ id: "k" }]);
    await store.close();
  },
);

test("what was written is read at once", async () => {
  const { store, tasks } = new Disk().open();
  const { id } = await tasks.insert({ title: "one", n: 1 });
  expect(await tasks.get(id)).toEqual({ id, title: "one", n: 1 });
  await tasks.update(id, { n: 2 });
  expect(await tasks.query({ filter: { n: 2 } })).toHaveLength(1);
  await tasks.delete(id);
  expect(await tasks.get(id)).toBeUndefined();
  expect(await tasks.count()).toBe(0);
  await tasks.insert({ id, title: "again" });
  expect(await tasks.get(id)).toEqual({ id, title: "again" });
  await store.close();
});

test("a live query that fails at first answers when what it failed in has changed", async () => {
  const { store, tasks } = await filled();
  const told: string[] = [];
  const tells = (wanted: string) =>
    new Promise<void>((resolve) => {
      const end = tasks
        .live({
          filter: ({ id, title }) => {
            if (title === "bread") throw new Error(`no room for ${id}`);
            return title > "b";
          },
        })
        .subscribe(
          (found) => hear(ids(found)),
          (error) => hear((error as Error).message),
        );
      const hear = (text: string) => {
        told.push(text);
        if (told.length === 1) void tasks.update("b", { title: "butter" });
        if (text === wanted) queueMicrotask(() => (end(), resolve()));
      };
    });
  await tells("bd");
  expect(told).toEqual(["no room for b", "bd"]);
  await store.close();
});

test("a live query tells every change, and none after its end", async () => {
  const { store, tasks } = new Disk().open();
  const results: string[] = [];
  let told = () => {};
  const next = () => new Promise<void>((resolve) => (told = resolve));
  let answer = next();
  const end = tasks.live({ filter: { done: false }, sort: "title" }).subscribe((found) => {
    results.push(ids(found));
    told();
  });
  await answer;
  for (const write of [
    () => tasks.insert({ id: "b", title: "B", done: false }),
    () => tasks.insert({ id: "a", title: "A", done: false }),
    () => tasks.update("b", { done: true }),
  ]) {
    answer = next();
    await write();
    await answer;
  }
  end();
  await tasks.delete("a");
  expect(results).toEqual(["", "b", "ab", "a"]);
  await store.close();
});

test("several edits are one write, or none", async () => {
  const { store, tasks, lists } = new Disk().open();
  const write = store.write([
    tasks.edits.insert({ id: "k", title: "in a list" }),
    lists.edits.update("missing", { name: "x" }),
  ]);
  await expect(write).rejects.toMatchObject({ code: "record_missing" });
  expect(await tasks.count()).toBe(0);
  await store.write([
    lists.edits.insert({ id: "l", name: "list" }),
    tasks.edits.insert({ id: "k", title: "in a list" }),
    lists.edits.update("l", { name: "renamed" }),
  ]);
  expect(await lists.get("l")).toEqual({ id: "l", name: "renamed" });
  await store.close();
});

test("what cannot be is refused, and nothing of it is written", async () => {
  const { store, tasks } = await filled();
  const code = (code: string) => expect.objectContaining({ code });
  await expect(tasks.insert({ id: "a", title: "twice" })).rejects.toEqual(code("record_exists"));
  await expect(tasks.update("x", { title: "?" })).rejects.toEqual(code("record_missing"));
  await expect(tasks.update("a", { n: NaN })).rejects.toEqual(code("value_invalid"));
  await expect(tasks.update("a", { n: undefined })).rejects.toEqual(code("value_invalid"));
  const date = new Date(0) as unknown as string;
  await expect(tasks.insert({ title: date })).rejects.toEqual(code("value_invalid"));
  await expect(tasks.insert({ title: "\0" })).rejects.toEqual(code("nul_in_string"));
  for (const id of ["", "a\nb", "\ud800", "é".repeat(65), 5 as unknown as string]) {
    await expect(tasks.insert({ id, title: "?" })).rejects.toEqual(code("value_invalid"));
    await expect(tasks.delete(id)).rejects.toEqual(code("value_invalid"));
  }
  await tasks.delete("é".repeat(64));
  expect(ids(await tasks.query())).toBe("abcd");
  expect(await tasks.get("a")).toMatchObject({ title: "Apples", n: 3 });
  await store.close();
});

test("a schema decides what a record may become", async () => {
  const parse = (record: unknown) => {
    if ((record as { n: number }).n < 0) throw new Error("n is negative");
  };
  const counters = createLocalCollection<Identified & { n: number }>({
    name: "counters",
    schema: { parse },
  });
  const { indexedDB } = new Disk();
  const engine = { indexedDB, IDBKeyRange };
  const store = createLocalStore({ appId: "x", collections: [counters], surroundings: { engine } });
  await expect(counters.insert({ n: -1 })).rejects.toMatchObject({ code: "schema_invalid" });
  const { id } = await counters.insert({ n: 1 });
  await expect(counters.update(id, { n: -1 })).rejects.toMatchObject({ code: "schema_invalid" });
  expect(await counters.query()).toEqual([{ id, n: 1 }]);
  await store.close();
});

test("a schema that answers later refuses everything, rather than nothing", async () => {
  const schema = { parse: async () => Promise.reject(new Error("too late")) };
  const slow = createLocalCollection<Identified & { n: number }>({ name: "slow", schema });
  const surroundings = new Disk().surroundings();
  const store = createLocalStore({ appId: "x", collections: [slow], surroundings });
  await expect(slow.insert({ n: 1 })).rejects.toMatchObject({ code: "schema_invalid" });
  await store.close();
});

test("a collection is one store's until that is closed", async () => {
  const one = createLocalCollection<Identified>({ name: "one" });
  const make = () =>
    createLocalStore({ appId: "x", collections: [one], surroundings: new Disk().surroundings() });
  const store = make();
  expect(make).toThrow(expect.objectContaining({ code: "collection_taken" }));
  await one.insert({});
  await store.close();
  const next = make();
  expect(await one.count()).toBe(0);
  await next.close();
});
