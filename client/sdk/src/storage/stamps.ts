/**
 * Stamps of own mutations, and the clock that gives them. All that takes a database runs inside a
 * transaction over everything.
 */
import { correct, observe, stamp } from "../core/clock";
import { format, parse, type Hlc } from "../core/hlc";
import type { Change } from "../core/wire";
import { byOrder, isUndecided, type Database, type OutboxRow } from "./database";

/** The hub told its time with an answer to what was asked at `asked`. See `core/clock`. */
export async function hubTime(
  db: Database,
  told: string,
  asked: number,
  came: number,
): Promise<void> {
  const hub = parse(told);
  if (!hub) return;
  const sent = await db.outbox.where("m").above(0).filter(isUndecided).toArray();
  const latestSent = Math.max(0, ...sent.map((row) => row.w));
  let { clock, restamp } = correct(
    await db.read("clock"),
    { hub: hub.wall, asked, came },
    latestSent,
  );
  if (restamp) {
    const isUnsent = (row: OutboxRow) => row.m === undefined;
    for (const row of (await db.outbox.filter(isUnsent).toArray()).sort(byOrder)) {
      clock = stamp(clock, came);
      const at = format(clock.hlc);
      await db.outbox.put({ ...row, c: row.c.map((one) => restamped(one, at)), w: clock.hlc.wall });
    }
  }
  await db.keep("clock", clock);
}

/** What other devices wrote was seen. */
export async function seen(db: Database, latestAt: string): Promise<void> {
  const at: Hlc | null = latestAt ? parse(latestAt) : null;
  if (at) await db.keep("clock", observe(await db.read("clock"), at));
}

/** A change as it would be if it were made at `at`. */
export function restamped(change: Change, at: string): Change {
  if (change.op === "insert") return { ...change, insertedAt: at };
  if (change.op === "delete") return { ...change, deletedAt: at };
  const fields = Object.entries(change.fields).map(([name, write]) => [
    name,
    { ...write, updatedAt: at },
  ]);
  return { ...change, fields: Object.fromEntries(fields) };
}

export function stampsOf(change: Change): string[] {
  if (change.op === "insert") return [change.insertedAt];
  if (change.op === "delete") return [change.deletedAt];
  return Object.values(change.fields).map((write) => write.updatedAt);
}
