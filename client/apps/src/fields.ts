/** The types a field may have: each is a value that says what it takes, so that programs can read it. */

/** What a field takes. */
export type Shape =
  | { is: "text" }
  | { is: "number" }
  | { is: "whole" }
  | { is: "flag" }
  /** A day of the calendar, `2026-11-24`. */
  | { is: "day" }
  /** A time of a day on a clock, `07:30`. */
  | { is: "clock" }
  /** A moment, in UTC: `2026-11-24T10:00:00.000Z`. */
  | { is: "moment" }
  /** The id of a record of `table`, which may be missing: records come and go one by one. */
  | { is: "reference"; table: string }
  | { is: "choice"; of: readonly string[] }
  | { is: "list"; of: Field }
  | { is: "object"; of: Fields };

export interface Field<T = unknown> {
  readonly shape: Shape;
  /** Whether it may be `null` or absent. */
  readonly isOptional: boolean;
  /** Only for the compiler. */
  readonly type?: T;
}

export type Fields = { readonly [name: string]: Field };

type TypeOf<F> = F extends Field<infer T> ? T : never;
type OptionalOf<F extends Fields> = {
  [N in keyof F]: null extends TypeOf<F[N]> ? N : never;
}[keyof F];

/** The values of fields; optional ones may be left out. */
export type Values<F extends Fields> = {
  -readonly [N in Exclude<keyof F, OptionalOf<F>>]: TypeOf<F[N]>;
} & { -readonly [N in OptionalOf<F>]?: TypeOf<F[N]> };

const field = <T>(shape: Shape): Field<T> => ({ shape, isOptional: false });

export const text = field<string>({ is: "text" });
/** Any finite number. */
export const number = field<number>({ is: "number" });
export const whole = field<number>({ is: "whole" });
export const flag = field<boolean>({ is: "flag" });
export const day = field<string>({ is: "day" });
export const clock = field<string>({ is: "clock" });
export const moment = field<string>({ is: "moment" });
export const reference = (table: string) => field<string>({ is: "reference", table });
export const choice = <const C extends string>(...of: C[]) => field<C>({ is: "choice", of });
export const list = <T>(of: Field<T>) => field<T[]>({ is: "list", of });
export const object = <const F extends Fields>(of: F) => field<Values<F>>({ is: "object", of });
export const maybe = <T>({ shape }: Field<T>): Field<T | null> => ({ shape, isOptional: true });

const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;
/** The day, and hour and minute. No leap second: a browser's `Date` knows none. */
const MOMENT = /^(.{10})T(\d{2}:\d{2}):[0-5]\d(\.\d{1,9})?Z$/;

/** A day that the calendar has. */
function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const [year, month, day] = text.split("-").map(Number) as [number, number, number];
  const date = new Date(0);
  // `Date.UTC` takes the years before 100 for others.
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

const isClock = (text: string) => CLOCK.test(text);

function isMoment(text: string): boolean {
  const [, day, clock] = MOMENT.exec(text) ?? [];
  return day !== undefined && clock !== undefined && isDay(day) && isClock(clock);
}

const TEXTS = { day: isDay, clock: isClock, moment: isMoment };

/** Where a value is not what its field takes, as `name: why`; `null` if it is. */
export function faultIn(name: string, { shape, isOptional }: Field, value: unknown): string | null {
  if (value === null || value === undefined) return isOptional ? null : `${name}: is missing`;
  switch (shape.is) {
    case "list":
      if (!Array.isArray(value)) return `${name}: is no list`;
      return first(value.map((item, at) => faultIn(`${name}[${at}]`, shape.of, item)));
    case "object":
      if (typeof value !== "object" || Array.isArray(value)) return `${name}: is no object`;
      return faultAmong(shape.of, value as Record<string, unknown>, `${name}.`);
    default:
      return takes(shape, value) ? null : `${name}: is no ${shape.is}`;
  }
}

/** The same of several fields. Others pass: another version of the app may know them. */
export function faultAmong(
  fields: Fields,
  values: Record<string, unknown>,
  before = "",
): string | null {
  return first(
    Object.entries(fields).map(([name, one]) => faultIn(before + name, one, values[name])),
  );
}

function takes(shape: Exclude<Shape, { is: "list" | "object" }>, value: unknown): boolean {
  switch (shape.is) {
    case "text":
    case "reference":
      return typeof value === "string";
    case "number":
      return Number.isFinite(value);
    case "whole":
      return Number.isSafeInteger(value);
    case "flag":
      return typeof value === "boolean";
    case "choice":
      return shape.of.includes(value as string);
    default:
      return typeof value === "string" && TEXTS[shape.is](value);
  }
}

const first = (faults: (string | null)[]) => faults.find((fault) => fault !== null) ?? null;
