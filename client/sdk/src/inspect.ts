/** A look inside: what this device holds and waits for, for people who want to know. */
import type { Session } from "./session.js";
import { OLDEST } from "./core/hlc.js";
import { undecided } from "./storage/outbox.js";

export interface Inspection {
  /** What this device is to the hub. */
  client: string;
  /** Up to where it has applied what the hub told; `null` before it was told anything. */
  cursor: { epoch: string; seq: number } | null;
  /** Commits that it has heard of and not applied. */
  behind: number;
  /** Writes without a verdict. */
  outbox: number;
  /** How long ago the first write in the outbox but for seeds was made, in milliseconds; 0 without one. */
  lag: number;
  /** Writes that were refused for good. */
  rejected: number;
  /** What the hub's clock is ahead of this device's, in milliseconds. */
  clockOffset: number;
}

export function inspect({ db }: Session, now: number): Promise<Inspection> {
  const tables = [db.outbox, db.sent, db.rejected, db.local, db.meta];
  return db.transaction("r", tables, async () => {
    const { offset } = await db.read("clock");
    const { cursor } = await db.read("replica");
    const { id, head } = await db.read("client");
    const written = db.outbox.orderBy("n").filter(({ w }) => w > OLDEST.wall);
    const oldest = await written.first();
    return {
      client: id,
      cursor,
      behind: Math.max(0, head - (cursor?.seq ?? 0)),
      outbox: await undecided(db),
      lag: oldest ? Math.max(0, now + offset - oldest.w) : 0,
      rejected: await db.rejected.count(),
      clockOffset: offset,
    };
  });
}
