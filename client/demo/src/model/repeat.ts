/** Repeat rules: the RRULEs of RFC 5545 that this app offers, and when a task comes again. */
import { between, fromDate, isDay, plusDays, toDate, type Day } from "./days";

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
 * come again. As RFC 5545 has it, a month without the day is left out, so that the 31st stays the
 * 31st. A `due` that is no day is none. `null` for a rule this app does not know, and where no day of
 * four figures is left.
 */
export function nextDue(rule: string, due: Day | null, today: Day): Day | null {
  const start = due !== null && isDay(due) ? due : today;
  const next = following(rule, start, start > today ? start : today);
  return next === null || next.startsWith("+") ? null : next;
}

function following(rule: string, start: Day, after: Day): Day | null {
  switch (rule) {
    case "FREQ=DAILY":
      return plusDays(after, 1);
    case "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR":
      return workingDay(after);
    case "FREQ=WEEKLY":
      return inDays(7, start, after);
    case "FREQ=WEEKLY;INTERVAL=2":
      return inDays(14, start, after);
    case "FREQ=MONTHLY":
      return inMonths(1, start, after);
    case "FREQ=YEARLY":
      return inMonths(12, start, after);
    default:
      return null;
  }
}

function workingDay(after: Day): Day {
  const weekday = toDate(after).getUTCDay();
  return plusDays(after, weekday === 5 ? 3 : weekday === 6 ? 2 : 1);
}

function inDays(step: number, start: Day, after: Day): Day {
  return plusDays(start, step * (Math.floor(between(start, after) / step) + 1));
}

function inMonths(step: number, start: Day, after: Day): Day {
  const [first, last] = [toDate(start), toDate(after)];
  const years = last.getUTCFullYear() - first.getUTCFullYear();
  const months = 12 * years + last.getUTCMonth() - first.getUTCMonth();
  for (let n = Math.floor(months / step); ; n++) {
    const day = toDate(start);
    day.setUTCMonth(day.getUTCMonth() + step * n);
    if (day.getUTCDate() === first.getUTCDate() && day > last) return fromDate(day);
  }
}
