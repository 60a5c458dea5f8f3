/** Stamps of own mutations. */
import { stamp, type ClockState } from "../core/clock.js";
import { format } from "../core/hlc.js";
import type { Change } from "../core/wire.js";

/**
 * The changes that `made` makes of items, each later than the one before it, and the clock after them.
 * Of two with one stamp the hub would not take the last: a delete covers what is as old as it is, and of
 * two values of a field it takes the greater one.
 */
export function stampEach<T>(
  clock: ClockState,
  now: number,
  items: readonly T[],
  made: (item: T, at: string) => Change,
): { clock: ClockState; changes: Change[] } {
  const changes = items.map((item) => {
    clock = stamp(clock, now);
    return made(item, format(clock.hlc));
  });
  return { clock, changes };
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

/** The wall time of a stamp as this device and the hub write it, in milliseconds since 1970; 0 of another. */
export function wallOf(text: string): number {
  return Date.parse(text.slice(0, "2026-11-24T10:00:00.123Z".length)) || 0;
}
