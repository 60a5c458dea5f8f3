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
    const { muts } = await nextPush(db, lead, 0, NOW);
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
