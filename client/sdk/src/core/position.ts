/** Where a device's copy stands: for the hub, and for what the hub tells. */
import type { Replica } from "./copy.js";
import type { Cursor } from "./wire.js";

/** The generation a row of the table is written to; `null`: it is kept aside. */
export function target(replica: Replica, table: string): number | null {
  const { fill } = replica;
  if (fill && (!fill.tables || fill.tables.includes(table))) return fill.gen;
  return null;
}

/** What to say in `hello` and to ask over HTTP. */
export interface Position {
  cursor: Cursor | null;
  /** Where a snapshot goes on. */
  next: string | null;
  /** Tables the cursor does not cover yet. */
  backfill: string[];
}

export function position(replica: Replica): Position {
  const { fill } = replica;
  return {
    cursor: replica.cursor,
    next: fill && !fill.ended ? fill.next : null,
    backfill: fill?.tables && !fill.ended ? fill.tables : [],
  };
}
