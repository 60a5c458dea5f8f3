/** Reading the text of stamps, also of those that others wrote. What writes and compares is in `hlc`. */
import { WALL_MAX, WALL_MIN, type Hlc } from "./hlc.js";

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
