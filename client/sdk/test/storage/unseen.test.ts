/** What happens in the database when nobody looks: races, limits, and histories that are lost. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { expect, test } from "vitest";
import { NEW_REPLICA, type Fill, type Replica } from "../../src/core/copy";
import { receive } from "../../src/core/replica";
import { Database, NEW_HERE, newClient, SETTLED_MAX } from "../../src/storage/database";
import { carryOut } from "../../src/storage/incoming";
import { Lead } from "../../src/storage/lead";
import { movedAs, moveUnsent } from "../../src/storage/moving";
import { take, undecided, write } from "../../src/storage/outbox";
import { decide, forgetDecided, nextPush } from "../../src/storage/sending";
import { look, settle } from "../../src/storage/verdicts";

const NOW = 1_770_000_000_000;

async function open(name: string): Promise<Database> {
  const db = new Database(name, [], { indexedDB: new IDBFactory(), IDBKeyRange });
  await db.keep("client", newClient());
  return db;
}
const insert = (db: Database, id: string) =>
  write(db, [{ table: "t", id, op: "insert", data: { id } }], NOW);

test("what was decided in a history that is lost is sent again", async () => {
  const db = await open("lost");
  const lead = new Lead(db);
  await lead.take(async () => {});
  for (const id of ["a", "b", "c"]) await insert(db, id);
  await nextPush(db, lead, { after: 0, now: NOW });
  const result = { status: "applied", code: "", message: "" } as const;
  const results = [1, 2].map((m) => ({ ...result, m, seq: 40 + m }));
  await db.everything(async () => decide(db, results, NOW));
  expect(await undecided(db)).toBe(1);
  const { sendingVersion } = await db.read("client");
  await db.everything(() => forgetDecided(db));
  expect(await undecided(db)).toBe(3);
  expect(await db.read("client")).toMatchObject({
    head: 0,
    sendingVersion: sendingVersion! + 1,
  });
  const { muts } = await nextPush(db, lead, { after: 0, now: NOW });
  expect(muts.map(({ changes }) => changes?.[0]?.id).sort()).toEqual(["a", "b", "c"]);
  db.close();
});

test("only what was shown is offered to another history", async () => {
  const db = await open("offered");
  const at = "2026-01-01T00:00:00.000Z";
  // Of generations that nobody has swept yet, one beside the shown one.
  await db.rows0.add({ g: 0, t: "t", id: "long gone", d: {}, at });
  await db.rows1.add({ g: 1, t: "t", id: "shown", d: {}, at });
  await db.rows1.add({ g: -1, t: "t", id: "never shown", d: {}, at });
  const shown = { base: 1, ahead: {} };
  await db.keep("here", { ...NEW_HERE, shown });
  const fill: Fill = {
    gen: 2,
    tables: null,
    ended: true,
    next: null,
    at: 1,
    count: 0,
    sum: 0,
    of: null,
    latest: "",
  };
  const cursor = { epoch: "another", seq: 1 };
  const before: Replica = { ...NEW_REPLICA, ...shown, fresh: 2, cursor, offers: true, fill };
  await db.keep("replica", before);
  const told = { t: "delta", from: 1, to: 1, more: false, changes: [] } as const;
  const step = receive(before, { ...told, changes: [] }, "another");
  await db.everything(() => carryOut(db, before, step));
  const offered = await db.outbox.toArray();
  expect(offered.flatMap(({ c }) => c.map(({ id }) => id))).toEqual(["shown"]);
  db.close();
});

test("of what became of mutations the last are remembered", async () => {
  const db = await open("settled");
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => ({ n: from + at, status: "superseded" as const }));
  await db.everything(() => settle(db, rows(1, SETTLED_MAX)));
  expect(await db.settled.count()).toBe(SETTLED_MAX);
  await db.everything(() => settle(db, rows(SETTLED_MAX + 1, 3)));
  expect(await db.settled.count()).toBe(SETTLED_MAX);
  expect((await db.settled.orderBy("n").first())?.n).toBe(4);
  db.close();
});

test("two tabs that move the same do it once, and each mutation has its place", async () => {
  const [from, to] = [await open("from"), await open("to")];
  await insert(to, "own");
  for (const id of ["a", "b", "c"]) await insert(from, id);
  await from.outbox.delete(2);
  const { id } = await from.read("client");
  const moved = await Promise.all([moveUnsent(from, to, id), moveUnsent(from, to, id)]);
  expect(moved).toEqual([3, 3]);
  const held = await to.outbox.orderBy("n").toArray();
  expect(held.map(({ c }) => c[0]?.id)).toEqual(["own", "a", "c"]);
  const places = await Promise.all([1, 2, 3, 4].map((n) => movedAs(to, id, n)));
  expect(places).toEqual([held[1]?.n, undefined, held[2]?.n, undefined]);
  for (const db of [from, to]) db.close();
});

test("a look asks for what has a verdict, and for all others together", async () => {
  const db = await open("looked");
  const changes = Array.from({ length: 300 }, () => []);
  const ns = await db.everything(() => take(db, changes));
  await db.outbox.bulkDelete([1, 2, 3]);
  let requests = 0;
  const { get } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.get = function (...asked) {
    requests++;
    return get.apply(this, asked);
  };
  const { verdicts, pending } = await look(db, ns);
  IDBObjectStore.prototype.get = get;
  expect([[...verdicts.keys()], pending]).toEqual([[1, 2, 3], 297]);
  expect(requests).toBeLessThan(20);
  db.close();
});

test("what an older version kept of a client is sent, and counts from its first change on", async () => {
  const db = await open("older");
  const lead = new Lead(db);
  await lead.take(async () => {});
  const { sendingVersion: _, ...older } = await db.read("client");
  await db.keep("client", older);
  await insert(db, "a");
  const { muts } = await nextPush(db, lead, { after: 0, now: NOW });
  expect(muts.map(({ m }) => m)).toEqual([1]);
  await db.everything(() => forgetDecided(db));
  expect((await db.read("client")).sendingVersion).toBe(1);
  db.close();
});
