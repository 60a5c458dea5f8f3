/** Stamps of what came from elsewhere: own ones are later. */
import { observe } from "../core/clock.js";
import { compare, isLater, type Hlc } from "../core/hlc.js";
import { parse } from "../core/rfc3339.js";
import type { Change } from "../core/wire.js";
import type { Database } from "./database.js";
import { stampsOf } from "./stamps.js";

/** Keeps the clock behind no stamp of other devices that was seen. Over `local`. */
export async function observeStamp(db: Database, latestAt: string): Promise<void> {
  const at: Hlc | null = latestAt ? parse(latestAt) : null;
  if (!at) return;
  const clock = await db.read("clock");
  if (compare(at, clock.hlc) > 0) await db.keep("clock", observe(clock, at));
}

/** The latest stamp in these changes; empty if there is none. */
export function latestStamp(changes: Change[]): string {
  return changes.flatMap(stampsOf).reduce((latest, at) => (isLater(at, latest) ? at : latest), "");
}
