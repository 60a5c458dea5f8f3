/** Repeat rules: the RRULEs of RFC 5545 that this app offers, and when a task comes again. */
import { fromDate, plusDays, toDate, type Day } from "./days";

export const REPEATS = [
  { rule: "FREQ=DAILY", label: "Every day" },
  { rule: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", label: "Every working day" },
  { rule: "FREQ=WEEKLY", label: "Every week" },
  { rule: "FREQ=WEEKLY;INTERVAL=2", label: "Every two weeks" },
  { rule: "FREQ=MONTHLY", label: "Every month" },
  { rule: "FREQ=YEARLY", label: "Every year" },
] as const;

/** What a rule is called; one that another client made is shown as it is. */
export function sayRepeat(rule: string): string {
  return REPEATS.find((one) => one.rule === rule)?.label ?? rule;
}

/**
 * The first day after `due` that the rule names and that is after `today`: what was missed does not
 * come again. `null` for a rule this app does not know.
 */
export function nextDue(rule: string, due: Day | null, today: Day): Day | null {
  const start = due ?? today;
  for (let n = 1; ; n++) {
    const day = nth(rule, start, n);
    if (day === null || (day > start && day > today)) return day;
  }
}

function nth(rule: string, start: Day, n: number): Day | null {
  switch (rule) {
    case "FREQ=DAILY":
      return plusDays(start, n);
    case "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR":
      return plusWorkingDays(start, n);
    case "FREQ=WEEKLY":
      return plusDays(start, 7 * n);
    case "FREQ=WEEKLY;INTERVAL=2":
      return plusDays(start, 14 * n);
    case "FREQ=MONTHLY":
      return plusMonths(start, n);
    case "FREQ=YEARLY":
      return plusMonths(start, 12 * n);
    default:
      return null;
  }
}

function plusWorkingDays(day: Day, count: number): Day {
  for (let left = count; left > 0;) {
    day = plusDays(day, 1);
    if (![0, 6].includes(toDate(day).getUTCDay())) left--;
  }
  return day;
}

/** The same day of another month, or its last where that has no such day. */
function plusMonths(day: Day, months: number): Day {
  const date = toDate(day);
  const dayOfMonth = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(dayOfMonth, last));
  return fromDate(date);
}
