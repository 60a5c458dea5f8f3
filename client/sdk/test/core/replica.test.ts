import { expect, test } from "vitest";
import { ProtocolError } from "../../src/core/errors";
import type { JsonObject } from "../../src/core/json";
import { recordSum } from "../../src/core/sum";
import { NEW_REPLICA, shownGen, type Replica } from "../../src/core/copy";
import { position } from "../../src/core/position";
import { receive, restart, want, welcome, type Step } from "../../src/core/replica";
import type { Delta, Entry, SnapshotEnd, SnapshotPart } from "../../src/core/wire";

const entry = (id: string, data: JsonObject | null, table = "tasks"): Entry => ({
  table,
  id,
  data,
  at: "",
});
const delta = (from: number, to: number, changes: Entry[] = [], more = false): Delta => ({
  t: "delta",
  from,
  to,
  more,
  changes,
});
const part = (at: number, changes: Entry[], next = "place"): SnapshotPart => ({
  t: "snapshot",
  at,
  done: changes.length,
  of: null,
  next,
  changes,
});
function end(at: number, records: Entry[]): SnapshotEnd {
  const sum = records.reduce(
    (sum, { table, id, data }) => (sum + recordSum(table, id, data!)) >>> 0,
    0,
  );
  const hex = sum.toString(16).padStart(8, "0");
  return { t: "snapshot_end", at, count: records.length, sum: hex, epoch: null };
}

/** A copy that is complete at seq 5 of epoch `e`. */
function filled(tables: string[] | null = null): Replica {
  let { replica } = welcome(want(NEW_REPLICA, tables).replica, "e", 5);
  for (const message of [end(5, []), delta(5, 5)]) ({ replica } = receive(replica, message, "e"));
  expect(replica.complete).toBe(true);
  return replica;
}

const refuses = (step: () => Step) => expect(step).toThrow(ProtocolError);

test("a snapshot fills a generation that is shown with the delta after it", () => {
  const k1 = entry("k1", { a: 1 });
  const begun = welcome(NEW_REPLICA, "e", 9).replica;
  const first = receive(begun, part(9, [k1]), "e");
  expect(first.rows).toEqual([k1]);
  const ended = receive(first.replica, end(9, [k1]), "e");
  expect(ended.replica.cursor).toEqual({ epoch: "e", seq: 9 });
  expect(shownGen(ended.replica, "tasks")).toBe(0);
  const last = receive(ended.replica, delta(9, 10, [entry("k2", { b: 1 })]), "e");
  expect(last.completes).toBe(true);
  expect(last.replica).toMatchObject({ complete: true, fill: null, base: 1 });
  expect(last.replica.drop).toEqual([0]);
});

test("a broken snapshot goes on at its place", () => {
  const begun = welcome(NEW_REPLICA, "e", 9).replica;
  const { replica } = receive(begun, part(9, [entry("k1", {})], "p1"), "e");
  expect(position(replica)).toEqual({ cursor: null, next: "p1", backfill: [] });
  expect(welcome(replica, "e", 12).replica).toEqual(replica);
  const ended = receive(replica, end(9, [entry("k1", {})]), "e").replica;
  expect(position(ended)).toEqual({ cursor: { epoch: "e", seq: 9 }, next: null, backfill: [] });
});

test("a snapshot that is not what was sent is refused", () => {
  const begun = welcome(NEW_REPLICA, "e", 9).replica;
  const { replica } = receive(begun, part(9, [entry("k1", { a: 1 })]), "e");
  refuses(() => receive(replica, end(9, []), "e"));
  refuses(() => receive(replica, end(9, [entry("k1", { a: 2 })]), "e"));
  refuses(() => receive(replica, part(10, []), "e"));
  refuses(() => receive(replica, delta(9, 10), "e"));
  refuses(() => receive(filled(), part(9, []), "e"));
  refuses(() => receive(filled(), end(9, []), "e"));
});

test("a delta continues the cursor", () => {
  refuses(() => receive(filled(), delta(4, 6), "e"));
  refuses(() => receive(filled(), delta(6, 7), "e"));
  refuses(() => receive(filled(), delta(5, 4), "e"));
  refuses(() => receive(NEW_REPLICA, delta(0, 1), "e"));
});

test("what says more is kept aside until the head is reached", () => {
  const cut = receive(filled(), delta(5, 7, [entry("k1", { a: 1 })], true), "e");
  expect(cut).toMatchObject({ completes: false, rows: [], stage: [{ id: "k1" }] });
  expect(cut.replica).toMatchObject({ complete: false, staged: true, cursor: { seq: 7 } });
  const whole = receive(cut.replica, delta(7, 8), "e");
  expect(whole.completes).toBe(true);
  expect(whole.replica).toMatchObject({ complete: true, staged: false, cursor: { seq: 8 } });
});

test("a welcome at the cursor ends a catch-up that broke before its last word", () => {
  const cut = receive(filled(), delta(5, 7, [entry("k1", {})], true), "e").replica;
  expect(welcome(cut, "e", 8).completes).toBe(false);
  expect(welcome(cut, "other", 7).completes).toBe(false);
  expect(welcome(cut, "e", 7).completes).toBe(true);
});

test("a copy that is behind the hub is not complete until it was told the rest", () => {
  expect(welcome(filled(), "e", 5).replica.complete).toBe(true);
  const behind = welcome(filled(), "e", 7);
  expect(behind).toMatchObject({ completes: false, replica: { complete: false } });
  expect(receive(behind.replica, delta(5, 7), "e").replica.complete).toBe(true);
  expect(welcome(filled(), "other", 5).replica.complete).toBe(false);
});

test.each(["epoch", "gc", "cursor", "erased"] as const)("reset %s begins a snapshot", (why) => {
  const old = receive(filled(), delta(5, 7, [entry("k1", {})], true), "e").replica;
  const step = receive(old, { t: "reset", why, epoch: "f" }, "e");
  expect(position(step.replica)).toEqual({ cursor: null, next: null, backfill: [] });
  expect(step.replica.offers).toBe(why === "epoch");
  expect(step.erases).toBe(why === "erased");
  expect(shownGen(step.replica, "tasks")).toBe(shownGen(old, "tasks"));
});

test("a snapshot begun again drops what the first one filled", () => {
  const first = restart(filled(), false);
  const second = restart(first.replica, false);
  expect(second.replica.drop).toContain(first.replica.fill?.gen);
  expect(second.replica.fill?.gen).not.toBe(first.replica.fill?.gen);
});

test("new tables are filled up beside the others", () => {
  const grown = want(filled(["tasks"]), ["lists", "tasks"]).replica;
  expect(position(grown)).toEqual({
    cursor: { epoch: "e", seq: 5 },
    next: null,
    backfill: ["lists"],
  });
  const list = entry("l1", { a: 1 }, "lists");
  let step = receive(grown, part(8, [list]), "e");
  expect(step.rows).toEqual([list]);
  step = receive(step.replica, end(8, [list]), "e");
  expect(step.replica.cursor?.seq).toBe(5);
  const both = [entry("k1", {}), entry("l1", { a: 2 }, "lists")];
  step = receive(step.replica, delta(5, 8, both, true), "e");
  expect(step).toMatchObject({ rows: [{ id: "l1" }], stage: [{ id: "k1" }] });
  step = receive(step.replica, delta(8, 9), "e");
  expect(step.replica.ahead).toEqual({ lists: grown.fill?.gen });
  expect(shownGen(step.replica, "tasks")).toBe(grown.base);
});

test("tables that are not wanted are left out, and still summed", () => {
  const begun = welcome(want(NEW_REPLICA, ["tasks"]).replica, "e", 5).replica;
  const all = [entry("l1", {}, "lists"), entry("k1", {})];
  const step = receive(begun, part(5, all), "e");
  expect(step.rows).toEqual([all[1]]);
  expect(receive(step.replica, end(5, all), "e").replica.cursor?.seq).toBe(5);
});
