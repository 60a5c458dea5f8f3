/** Days of the calendar, as texts like `2026-11-24`, and the words for them. */

export type Day = string;

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** Whether a text is a day, of a year of four figures. */
export function isDay(text: string): text is Day {
  if (!/^[1-9]\d{3}-\d\d-\d\d$/.test(text)) return false;
  const date = toDate(text);
  return !Number.isNaN(date.getTime()) && fromDate(date) === text;
}

/** The day it is at `now` where this device is. */
export function dayOf(now: Date): Day {
  const two = (part: number) => String(part).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/** Days are counted in UTC, where each has 24 hours. */
export const toDate = (day: Day) => new Date(`${day}T00:00:00Z`);
export const fromDate = (date: Date): Day => date.toISOString().slice(0, 10);

export function plusDays(day: Day, days: number): Day {
  const date = toDate(day);
  date.setUTCDate(date.getUTCDate() + days);
  return fromDate(date);
}

/** Days from `a` to `b`. */
export function between(a: Day, b: Day): number {
  return Math.round((toDate(b).getTime() - toDate(a).getTime()) / 86_400_000);
}

/** A day named by a word: `today`, `tomorrow` or a weekday (the next one). */
export function dayNamed(word: string, today: Day): Day | null {
  const name = word.toLowerCase();
  if (name === "today") return today;
  if (name === "tomorrow") return plusDays(today, 1);
  return weekday(WEEKDAYS.indexOf(name), today);
}

/** A weekday, whole or by its first three letters, which may be a word of their own, as `sun` is. */
export function weekdayNamed(word: string, today: Day): Day | null {
  const name = word.toLowerCase();
  return weekday(
    WEEKDAYS.findIndex((one) => one === name || one.slice(0, 3) === name),
    today,
  );
}

/** The next one. `weekday`: from 0, a Sunday; less is none. */
function weekday(weekday: number, today: Day): Day | null {
  if (weekday < 0) return null;
  const ahead = (weekday - toDate(today).getUTCDay() + 7) % 7;
  return plusDays(today, ahead === 0 ? 7 : ahead);
}

/** A day for people, seen from `today`. */
export function sayDay(day: Day, today: Day, locale?: string): string {
  const days = between(today, day);
  if (days === 0) return "Today";
  if (days === 1) return "Tomorrow";
  if (days === -1) return "Yesterday";
  const isThisYear = day.slice(0, 4) === today.slice(0, 4);
  const how = days > 1 && days < 7 ? "weekday" : isThisYear ? "day" : "day and year";
  return formatOf(how, locale).format(toDate(day));
}

const FORMATS = {
  weekday: { weekday: "long" },
  day: { day: "numeric", month: "short" },
  "day and year": { day: "numeric", month: "short", year: "numeric" },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

/** Those that were made: making one takes longer than all else of a row. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(how: keyof typeof FORMATS, locale: string | undefined): Intl.DateTimeFormat {
  const key = `${how} ${locale ?? ""}`;
  const made = formats.get(key);
  if (made) return made;
  const format = new Intl.DateTimeFormat(locale, { timeZone: "UTC", ...FORMATS[how] });
  formats.set(key, format);
  return format;
}

/** A moment for people, where this device is. */
export const sayMoment = (at: string): string =>
  new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
