/**
 * Stamps of this device's own edits: a hybrid logical clock (Kulkarni et al., 2014), and how its text
 * is written on the wire; `rfc3339` reads it. Pure: the wall clock comes in as a value.
 *
 * A device compares no stamps to decide what it shows; it only sees to it that its next edit is
 * later than everything it has seen.
 */

/** A reading of the clock. */
export interface Hlc {
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** Counts inside that millisecond, 0 to 65,535. */
  readonly counter: number;
}

/** Earliest and last wall time a stamp may claim: 2020-01-01 and the end of the year 9999. */
export const WALL_MIN = 1_577_836_800_000;
export const WALL_MAX = 253_402_300_799_999;
const COUNTER_MAX = 0xffff;

/** The oldest stamp there is. Whatever anybody wrote is newer. */
export const OLDEST: Hlc = { wall: WALL_MIN, counter: 0 };

/** A clock further ahead of the hub's than this is wrong; the hub clamps what it stamps. */
export const AHEAD_MS_MAX = 60_000;

export function compare(a: Hlc, b: Hlc): number {
  return a.wall - b.wall || a.counter - b.counter;
}

export function latest(a: Hlc, b: Hlc): Hlc {
  return compare(a, b) >= 0 ? a : b;
}

/** The next reading after `clock` at the wall time `now`: later than `clock`, and `now` if that is ahead. */
export function tick(clock: Hlc, now: number): Hlc {
  const wall = Math.min(Math.max(now, WALL_MIN), WALL_MAX);
  if (wall > clock.wall) return { wall, counter: 0 };
  return clock.counter < COUNTER_MAX
    ? { wall: clock.wall, counter: clock.counter + 1 }
    : { wall: clock.wall + 1, counter: 0 };
}

/** As text: `2026-11-24T10:00:00.123Z`, with `-00ff` behind it unless the counter is 0. */
export function format({ wall, counter }: Hlc): string {
  const time = new Date(Math.min(wall, WALL_MAX)).toISOString();
  return counter === 0 ? time : `${time}-${counter.toString(16).padStart(4, "0")}`;
}

/** Stamps of the hub are all written in UTC with three digits, so they sort as text does. */
export function isLater(a: string, b: string): boolean {
  return a > b;
}
