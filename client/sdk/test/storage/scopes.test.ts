/** Which tables transactions name: what others must wait for. */
import { IDBKeyRange } from "fake-indexeddb";
import { afterAll, expect, test } from "vitest";
import { NEW_REPLICA, NONE_SHOWN } from "../../src/core/copy";
import { Database, NEW_HERE, newClient } from "../../src/storage/database";
import { carryOutPart } from "../../src/storage/incoming";
import { Lead } from "../../src/storage/lead";
import { write } from "../../src/storage/outbox";
import { get } from "../../src/storage/queries";
import { restart } from "../../src/core/replica";
import { decide, nextPush } from "../../src/storage/sending";
import { Disk } from "../device";

const NOW = 1_770_000_000_000;
/** The tables that transactions name which write. */
const named: string[][] = [];

// Dexie remembers it when a database is opened.
const { transaction } = IDBDatabase.prototype;
IDBDatabase.prototype.transaction = function (names, mode, options) {
  if (mode === "readwrite") named.push(typeof names === "string" ? [names] : [...names]);
  return transaction.call(this, names, mode, options);
};
afterAll(() => void (IDBDatabase.prototype.transaction = transaction));

const open = (disk: Disk) => new Database("scopes", [], { indexedDB: disk.indexedDB, IDBKeyRange });
const insert = (db: Database, id: string) =>
  write(db, [{ table: "t", id, op: "insert", data: { title: id } }], NOW);

test("a tab that has not heard which rows are shown reads and writes those that are", async () => {
  const disk = new Disk();
  const [tab, other] = [open(disk), open(disk)];
  await tab.keep("client", newClient());
  expect(await get(tab, "t", "k")).toBeUndefined();
  await other.rows1.put({ g: 1, t: "t", id: "k", d: { title: "told" }, at: "" });
  await other.keep("here", { ...NEW_HERE, shown: { ...NONE_SHOWN, base: 1 } });
  expect(await get(tab, "t", "k")).toEqual({ id: "k", title: "told" });
  await other.keep("here", { ...NEW_HERE, shown: { base: 1, ahead: { t: 2 } } });
  await insert(tab, "k");
  await other.rows0.put({ g: 4, t: "t", id: "l", d: { title: "told" }, at: "" });
  await other.keep("here", { ...NEW_HERE, shown: { base: 1, ahead: { t: 4 } } });
  await expect(insert(tab, "l")).rejects.toMatchObject({ code: "record_exists" });
  expect(await tab.outbox.count()).toBe(1);
  for (const db of [tab, other]) db.close();
});

test("numbers and verdicts wait for no caller, nor callers for them", async () => {
  const db = open(new Disk());
  await db.keep("client", newClient());
  const lead = new Lead(db);
  await lead.take(async () => {});
  named.length = 0;
  for (const id of ["a", "b", "c"]) await insert(db, id);
  const callers = named.splice(0);
  const { muts } = await nextPush(db, lead, { after: 0, now: NOW });
  expect(muts.map(({ m }) => m)).toEqual([1, 2, 3]);
  const results = muts.map(({ m }) => ({ m, status: "applied", seq: m, code: "", message: "" }));
  await lead.over([db.sent, db.settled], () => decide(db, results as never, NOW));
  const senders = named.splice(0);
  expect(callers).toHaveLength(3);
  expect(senders).toHaveLength(2);
  for (const names of senders) for (const one of names) expect(callers.flat()).not.toContain(one);
  db.close();
});

test("a part of a snapshot names no table of callers, and lets one that waits go first", async () => {
  const db = open(new Disk());
  await db.keep("client", newClient());
  const lead = new Lead(db);
  await lead.take(async () => {});
  const { replica } = restart(NEW_REPLICA, false);
  const rows = Array.from({ length: 400 }, (_, at) => {
    return { table: "t", id: `k${at}`, data: { at }, at: "" };
  });
  const step = { ...restart(NEW_REPLICA, false), replica, rows };
  named.length = 0;
  let isWritten = false;
  const parts = carryOutPart(db, step, (tables, work) => lead.over(tables, work));
  void parts.then(() => (isWritten = true));
  let own = 0;
  while (!isWritten) await insert(db, `own${own++}`);
  const filling = named.filter((names) => names.includes("rows1"));
  expect(filling.length).toBeGreaterThan(1);
  expect(new Set(filling.flat())).toEqual(new Set(["meta", "rows1"]));
  expect(named.filter((names) => names.includes("outbox"))).toHaveLength(own);
  expect(await db.rows1.count()).toBe(rows.length);
  expect(await db.read("replica")).toEqual(replica);
  db.close();
});
