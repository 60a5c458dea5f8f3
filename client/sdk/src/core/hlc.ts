/**
 * Stamps of this device's own edits: a hybrid logical clock (Kulkarni et al., 2014), and its text
 * on the wire. Pure: the wall clock comes in as a value.
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
const WALL_MAX = 253_402_300_799_999;
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

const STAMP =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))(?:-([\da-fA-F]{4}))?$/;

/** Reads RFC 3339 and a counter, cut to milliseconds; `null` if it is none or outside 2020 to 9999. */
export function parse(text: string): Hlc | null {
  const parts = STAMP.exec(text);
  if (!parts) return null;
  const number = (at: number) => Number(parts[at] ?? 0);
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const offsetMinutes = number(9) * 60 + number(10);
  const isLeap = second === 60;
  if (hour > 23 || minute > 59 || second > 60 || number(9) > 23 || number(10) > 59) return null;
  const midnight = new Date(Date.UTC(year, month - 1, day));
  if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return null;
  const millisecond = isLeap ? 999 : Number((parts[7] ?? "").padEnd(3, "0").slice(0, 3));
  const wall =
    midnight.getTime() +
    ((hour * 60 + minute) * 60 + Math.min(second, 59)) * 1000 +
    millisecond -
    (parts[8] === "-" ? -1 : 1) * offsetMinutes * 60_000;
  if (wall < WALL_MIN || wall > WALL_MAX) return null;
  // A leap second can only be the last of a month.
  if (isLeap && !new Date(wall + 1).toISOString().endsWith("-01T00:00:00.000Z")) return null;
  return { wall, counter: parseInt(parts[11] ?? "0", 16) };
}

/** Stamps of the hub are all written in UTC with three digits, so they sort as text does. */
export function isLater(a: string, b: string): boolean {
  return a > b;
}
