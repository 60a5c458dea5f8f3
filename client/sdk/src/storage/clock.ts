/**
 * The device's clock, corrected by the hub's, with what it has stamped. All of it runs inside a
 * transaction over `local`, `sent`, `meta` and, to correct the clock, `outbox`.
 */
import { correct } from "../core/correct.js";
import { OLDEST } from "../core/hlc.js";
import { parse } from "../core/rfc3339.js";
import { nextSendingVersion, type Database } from "./database.js";
import { restamped, stampEach } from "./stamps.js";

/** The hub's time as it told it, and when this device had asked and was answered. */
export interface Told {
  hub: string;
  asked: number;
  came: number;
}

/**
 * The hub told its time with an answer to what was asked at `asked`. True if that changes the clock:
 * then `correctClock` does it. See `core/clock`.
 */
export async function isClockWrong(db: Database, told: Told): Promise<boolean> {
  const [clock, { clock: now, restamp }] = await corrected(db, told);
  return restamp || now.offset !== clock.offset;
}

/** Corrects the clock, and what was stamped by it and not sent. */
export async function correctClock(db: Database, told: Told): Promise<void> {
  let [, { clock, restamp }] = await corrected(db, told);
  if (restamp) {
    const sent = new Set(await db.sent.toCollection().primaryKeys());
    for (const row of await db.outbox.orderBy("n").toArray()) {
      // A seed is as old as it says.
      if (sent.has(row.n as number) || row.w <= OLDEST.wall) continue;
      const made = stampEach(clock, told.came, row.c, restamped);
      clock = made.clock;
      await db.outbox.put({ ...row, c: made.changes, w: clock.hlc.wall });
    }
    await bumpSendingVersion(db);
  }
  await db.keep("clock", clock);
}

async function corrected(db: Database, { hub, asked, came }: Told) {
  const [clock, sent] = await Promise.all([db.read("clock"), db.sent.toArray()]);
  const undecided = sent.filter((row) => row.seq === undefined);
  const latestSent = Math.max(0, ...undecided.map((row) => row.w));
  const at = parse(hub);
  const unchanged = { clock, restamp: false };
  return [
    clock,
    at ? correct(clock, { hub: at.wall, asked, came }, latestSent) : unchanged,
  ] as const;
}

/** What was to be sent is another now. */
export async function bumpSendingVersion(db: Database): Promise<void> {
  const client = await db.read("client");
  await db.keep("client", { ...client, sendingVersion: nextSendingVersion(client) });
}
