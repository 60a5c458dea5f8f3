/** What the engine's transactions look at before they do anything, and what a push leaves out. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test } from "vitest";
import { IN_FLIGHT_MAX } from "../../src/core/outbox";
import { NEW_REPLICA } from "../../src/core/copy";
import { restart } from "../../src/core/replica";
import type { Step } from "../../src/core/replica";
import type { Entry } from "../../src/core/wire";
import { Database, NEW_HERE, newClient } from "../../src/storage/database";
import { carryOut } from "../../src/storage/incoming";
import { Lead } from "../../src/storage/lead";
import { write } from "../../src/storage/outbox";
import { decide, nextPush, renumber } from "../../src/storage/sending";
import { observeStamp } from "../../src/storage/seen";

const NOW = 1_770_000_000_000;
let db: Database;
let lead: Lead;
beforeEach(async () => {
  db = new Database("lead", [], { indexedDB: new IDBFactory(), IDBKeyRange });
  await db.keep("client", newClient());
  lead = new Lead(db);
  await lead.take(async () => {});
});
afterEach(() => db.close());

const insert = (id: string, title = id, now = NOW) =>
  write(db, [{ table: "t", id, op: "insert", data: { title } }], now);
const numbers = async (after = 0) =>
  (await nextPush(db, lead, { after, now: NOW })).muts.map(({ m }) => m);

test("a tab that was replaced writes nothing more", async () => {
  await insert("k");
  await new Lead(db).take(async () => {});
  await expect(lead.everything(async () => db.outbox.clear())).rejects.toThrow();
  await expect(numbers()).rejects.toThrow();
  expect([await db.outbox.count(), await db.sent.count()]).toEqual([1, 0]);
});

test("nothing is pushed while something is to be offered back", async () => {
  await insert("k");
  await db.keep("replica", { ...NEW_REPLICA, offers: true });
  expect(await numbers()).toEqual([]);
  await db.keep("replica", NEW_REPLICA);
  expect(await numbers()).toEqual([1]);
});

test("no more are on their way than the hub remembers", async () => {
  for (let at = 0; at < IN_FLIGHT_MAX + 20; at++) await insert(`k${at}`);
  const sent: number[] = [];
  for (;;) {
    const some = await numbers(sent.at(-1));
    if (some.length === 0) break;
    sent.push(...some);
  }
  expect(sent).toHaveLength(IN_FLIGHT_MAX);
  expect(await db.sent.count()).toBe(IN_FLIGHT_MAX);
  const results = sent.slice(0, 5).map((m) => {
    return { m, status: "applied" as const, seq: m, code: "", message: "" };
  });
  await db.everything(async () => decide(db, results, NOW));
  expect(await numbers(sent.at(-1))).toHaveLength(5);
});

test("what was read for a push gets no number if it is another by then", async () => {
  await insert("k");
  // Before the transaction that numbers, as a clock that is set back or another client id.
  const { over } = lead;
  let isFirst = true;
  lead.over = async function (this: Lead, tables, work) {
    if (isFirst) {
      isFirst = false;
      await db.everything(async () => {
        await db.outbox.clear();
        await db.keep("client", { ...(await renumber(db)), sendingVersion: 7 });
      });
      await insert("l");
    }
    return over.call(this, tables, work) as never;
  };
  const { muts } = await nextPush(db, lead, { after: 0, now: NOW });
  expect(muts.map(({ m, changes }) => [m, changes?.[0]?.id])).toEqual([[1, "l"]]);
});

test("what was never sent and is too large by now is set aside, and the rest goes", async () => {
  await insert("a", "x".repeat(2_000));
  await insert("b");
  await db.keep("here", { ...NEW_HERE, limits: { message_bytes: 1_024, changes_per_push: 10 } });
  expect(await numbers()).toEqual([1]);
  expect(await db.rejected.toArray()).toMatchObject([{ code: "mutation_too_large" }]);
  expect(await db.outbox.count()).toBe(1);
});

const told = (id: string, title: string | null, at: string): Entry => {
  return { table: "t", id, data: title === null ? null : { title }, at };
};
const delta = (seq: number, rows: Entry[]): Step => {
  const replica = { ...NEW_REPLICA, cursor: { epoch: "e", seq }, complete: true };
  const step = { ...restart(NEW_REPLICA, false), losesHistory: false };
  return { ...step, replica, rows: [], stage: rows, completes: true };
};
const LATE = "2026-06-01T00:00:00.000Z";

test("what is edited comes after what was told", async () => {
  await db.everything(async () => observeStamp(db, ""));
  const { replica } = delta(1, []);
  await db.everything(async () => carryOut(db, replica, delta(1, [told("k", "theirs", LATE)])));
  await insert("l");
  const [row] = await db.outbox.toArray();
  const [change] = row!.c;
  expect(change?.op === "insert" && change.insertedAt > LATE).toBe(true);
});

test("a record told without a stamp keeps the one it had", async () => {
  const { replica } = delta(1, []);
  for (const [seq, at] of [LATE, ""].entries())
    await db.everything(async () => carryOut(db, replica, delta(seq, [told("k", `${seq}`, at)])));
  const rows = [...(await db.rows0.toArray()), ...(await db.rows1.toArray())];
  expect(rows).toMatchObject([{ d: { title: "1" }, at: LATE }]);
});

test("an erasure leaves nothing, what was refused included", async () => {
  await insert("k");
  await db.rejected.put({ n: 99, c: [], code: "", message: "", at: 0 });
  const { replica } = delta(1, []);
  const step = { ...delta(1, []), completes: false, erases: true };
  await db.everything(async () => carryOut(db, replica, step));
  for (const table of [db.outbox, db.own, db.sent, db.rejected, db.gone])
    expect([table.name, await table.count()]).toEqual([table.name, 0]);
});
