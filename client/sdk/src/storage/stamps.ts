/** Stamps of own mutations. */
import { observe } from "../core/clock.js";
import { compare, isLater, parse, type Hlc } from "../core/hlc.js";
import type { Change } from "../core/wire.js";
import type { Database } from "./database.js";

/** What other devices wrote was seen. Over `local`. */
export async function seen(db: Database, latestAt: string): Promise<void> {
  const at: Hlc | null = latestAt ? parse(latestAt) : null;
  if (!at) return;
  const clock = await db.read("clock");
  if (compare(at, clock.hlc) > 0) await db.keep("clock", observe(clock, at));
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

/** The latest stamp in these changes; empty if there is none. */
export function latestStamp(changes: Change[]): string {
  return changes.flatMap(stampsOf).reduce((latest, at) => (isLater(at, latest) ? at : latest), "");
}
