/** Stamps of own mutations. */
import type { Change } from "../core/wire.js";

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

/** The wall time of a stamp as this device and the hub write it, in milliseconds since 1970; 0 of another. */
export function wallOf(text: string): number {
  return Date.parse(text.slice(0, "2026-11-24T10:00:00.123Z".length)) || 0;
}
