import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { expect, test } from "vitest";
import { Database, NEW_HERE, newClient } from "../../src/storage/database";
import { Lead } from "../../src/storage/lead";
import { undecided, write } from "../../src/storage/outbox";
import { decide, leavePassed, nextPush } from "../../src/storage/sending";
import { look } from "../../src/storage/verdicts";

const NOW = 1_770_000_000_000;

test("a mutation that has its number and became too large uses it up and is rejected", async () => {
  const db = new Database("outbox", [], { indexedDB: new IDBFactory(), IDBKeyRange });
  await db.keep("client", newClient());
  const lead = new Lead(db);
  await lead.take(async () => {});
  const insert = (id: string, title: string) =>
    write(db, [{ table: "t", id, op: "insert", data: { title } }], NOW);
  const numbers = async () => {
    const { muts } = await nextPush(db, lead, { after: 0, now: NOW });
    return muts.map(({ m, changes }) => [m, changes?.[0]?.id ?? null]);
  };
  await insert("a", "small");
  await insert("b", "x".repeat(2_000));
  await insert("c", "small");
  expect(await numbers()).toEqual([1, 2, 3].map((m, at) => [m, ["a", "b", "c"][at]]));

  await db.keep("here", { ...NEW_HERE, limits: { message_bytes: 1_024, changes_per_push: 10 } });
  await insert("d", "small");
  expect(await numbers()).toEqual([
    [1, "a"],
    [2, null],
    [3, "c"],
    [4, "d"],
  ]);

  const answer = (m: number) => ({ m, status: "applied", seq: m, code: "", message: "" }) as const;
  const refused = {
    m: 2,
    status: "rejected",
    seq: null,
    code: "change_invalid",
    message: "",
  } as const;
  await db.everything(async () => decide(db, [answer(1), refused, answer(3), answer(4)], NOW));
  const rejected = await db.rejected.orderBy("n").toArray();
  expect(rejected.map(({ c, code }) => [c[0]?.id, code])).toEqual([["b", "mutation_too_large"]]);
  expect(await undecided(db)).toBe(0);
  db.close();
});

test("what is not here is deleted by mutations of their own, before the rest", async () => {
  const db = new Database("apart", [], { indexedDB: new IDBFactory(), IDBKeyRange });
  const deleted = (id: string) => ({ table: "t", id, op: "delete" }) as const;
  const insert = (id: string) => ({ table: "t", id, op: "insert", data: {} }) as const;
  const ids = async () =>
    (await db.outbox.orderBy("n").toArray()).map(({ c }) => c.map(({ id }) => id));
  await write(db, [insert("a"), insert("b"), deleted("b")], NOW);
  expect(await ids()).toEqual([["a", "b", "b"]]);
  const { n } = await write(db, [deleted("x"), insert("c"), deleted("a"), deleted("y")], NOW);
  expect(await ids()).toEqual([["a", "b", "b"], ["x"], ["y"], ["c", "a"]]);
  expect(n).toBe(4);
  expect((await write(db, [deleted("x")], NOW)).n).toBe(5);
  db.close();
});

test("deletes that were refused for one of them are sent one by one, before what is behind", async () => {
  const db = new Database("parted", [], { indexedDB: new IDBFactory(), IDBKeyRange });
  await db.keep("client", newClient());
  const lead = new Lead(db);
  await lead.take(async () => {});
  const deleted = (id: string) => ({ table: "t", id, op: "delete" }) as const;
  const insert = (id: string) => ({ table: "t", id, op: "insert", data: {} }) as const;
  await write(db, ["a", "b", "c"].map(insert), NOW);
  const { n } = await write(db, ["a", "b", "c"].map(deleted), NOW);
  await nextPush(db, lead, { after: 0, now: NOW });
  await write(db, [insert("b")], NOW);
  const answer = { m: 1, status: "applied", seq: 1, code: "", message: "" } as const;
  const refused = { ...answer, m: 2, status: "rejected", code: "record_unknown" } as const;
  await db.everything(async () => decide(db, [answer, refused], NOW));
  expect(await db.rejected.count()).toBe(0);
  expect((await look(db, [n])).verdicts).toEqual(new Map());
  const { muts } = await nextPush(db, lead, { after: 2, now: NOW });
  expect(muts.map(({ m, changes }) => [m, changes?.map(({ op, id }) => `${op} ${id}`)])).toEqual([
    [3, ["delete a"]],
    [4, ["delete b"]],
    [5, ["delete c"]],
    [6, ["insert b"]],
  ]);
  const unknown = { ...refused, m: 4 };
  const applied = [3, 5].map((m) => ({ ...answer, m }));
  await db.everything(async () => decide(db, [...applied, unknown], NOW));
  expect((await look(db, [n])).verdicts.get(n)).toEqual({ n, status: "applied" });
  expect(await undecided(db)).toBe(1);
  db.close();
});

const answer = { status: "applied", seq: 1, code: "", message: "" } as const;
const superseded = { ...answer, status: "superseded" } as const;
const refused = (code: string) => ({ ...answer, status: "rejected", code }) as const;

test.each([
  ["one is refused", [answer, refused("forbidden"), answer], "rejected"],
  [
    "the first is refused and the last has lost",
    [refused("forbidden"), answer, superseded],
    "rejected",
  ],
  ["only the last has lost", [answer, refused("record_unknown"), superseded], "applied"],
  ["only the first has lost", [superseded, answer, answer], "applied"],
  ["all have lost", [superseded, superseded, superseded], "superseded"],
] as const)(
  "who waits for deletes that are sent one by one hears of all: %s",
  async (why, answers, status) => {
    const db = new Database(`parts: ${why}`, [], { indexedDB: new IDBFactory(), IDBKeyRange });
    await db.keep("client", newClient());
    const lead = new Lead(db);
    await lead.take(async () => {});
    const changes = ["a", "b", "c"].map((id) => ({ table: "t", id, data: {} }));
    await write(
      db,
      changes.map((one) => ({ ...one, op: "insert" })),
      NOW,
    );
    const { n } = await write(
      db,
      changes.map(({ table, id }) => ({ table, id, op: "delete" })),
      NOW,
    );
    await nextPush(db, lead, { after: 0, now: NOW });
    const decides = (...results: Parameters<typeof decide>[1]) =>
      db.everything(async () => decide(db, results, NOW));
    await decides({ ...answer, m: 1 }, { ...refused("record_unknown"), m: 2 });
    await nextPush(db, lead, { after: 2, now: NOW });
    await decides(...answers.map((one, at) => ({ ...one, m: 3 + at })));
    const told = (await look(db, [n])).verdicts.get(n);
    expect(told?.status).toBe(status);
    const [first] = await db.rejected.toArray();
    if (status === "rejected") expect(told).toMatchObject({ n: first!.n, code: "forbidden" });
    // Of the parts themselves nothing is kept that would be in the way of others.
    const kept = await db.settled.orderBy("n").primaryKeys();
    expect(kept.filter((one) => !Number.isInteger(one))).toEqual([]);
    db.close();
  },
);

test("of however many mutations, one that left without a word was applied", async () => {
  const db = new Database("many", [], { indexedDB: new IDBFactory(), IDBKeyRange });
  await db.keep("client", newClient());
  const ns = Array.from({ length: 1_500 }, (_, at) => at + 1);
  await db.outbox.bulkAdd(ns.map((n) => ({ n, c: [], k: [], w: 0 })));
  await db.sent.bulkAdd(ns.map((n) => ({ n, m: n, w: 0 })));
  const superseded = 700;
  const results = ns.map((m) => {
    const status = m === superseded ? ("superseded" as const) : ("applied" as const);
    return { m, status, seq: m, code: "", message: "" };
  });
  await db.everything(async () => decide(db, results, NOW));
  await db.everything(async () => leavePassed(db, 1_400));
  const { verdicts, pending } = await look(db, [1, superseded, 1_450, 1_500]);
  expect(pending).toBe(0);
  expect([...verdicts.values()].map(({ status }) => status)).toEqual([
    "applied",
    "superseded",
    "applied",
    "applied",
  ]);
  await db.outbox.add({ n: 1_501, c: [], k: [], w: 0 });
  expect(await look(db, [1_501])).toMatchObject({ verdicts: new Map(), pending: 1, last: 1_501 });
  db.close();
});
