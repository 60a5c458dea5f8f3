/** Whatever is typed as the day a task is due, only days are stored, and none is lost unasked. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { add, appears, close, dialog, edit, enter, field, open, shows, stored, type } from "./page";

/** So many sequences of strokes; each is stored for real. */
const RUNS = 80;

const PARTS = ["year", "month", "day"] as const;
type Part = (typeof PARTS)[number];

type Stroke =
  | { is: "types"; part: Part; digits: number }
  | { is: "clears"; part: Part }
  | { is: "clears all" }
  | { is: "leaves" };

/**
 * A date field as browsers have it: of three parts, which are typed one by one, and with a value only
 * when all of them are a day of the calendar.
 */
class DateField {
  #parts: Record<Part, number | null> = { year: null, month: null, day: null };

  constructor(readonly element: HTMLInputElement) {
    Object.defineProperties(element, {
      value: {
        get: () => this.value,
        set: (value: string) => this.#show(value),
        configurable: true,
      },
      validity: { get: () => ({ valid: this.isValid }), configurable: true },
    });
  }

  get value(): string {
    const { year, month, day } = this.#parts;
    if (year === null || month === null || day === null) return "";
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return "";
    return [[year, 4] as const, [month, 2] as const, [day, 2] as const]
      .map(([part, width]) => String(part).padStart(width, "0"))
      .join("-");
  }

  get isEmpty(): boolean {
    return PARTS.every((part) => this.#parts[part] === null);
  }

  get isValid(): boolean {
    if (this.value === "") return this.isEmpty;
    const { year } = this.#parts;
    return year! >= 1000 && year! <= 9999;
  }

  /** Returns whether the page is told. */
  take(stroke: Stroke): boolean {
    const before = this.value;
    if (stroke.is === "types") this.#parts[stroke.part] = stroke.digits;
    if (stroke.is === "clears") this.#parts[stroke.part] = null;
    if (stroke.is === "clears all") this.#parts = { year: null, month: null, day: null };
    if (stroke.is === "leaves") return this.element.dispatchEvent(new Event("blur"));
    // A part of what has no value yet is told by nothing.
    if (this.value === before) return false;
    for (const type of ["input", "change"])
      this.element.dispatchEvent(new Event(type, { bubbles: true }));
    return true;
  }

  #show(value: string): void {
    const [year, month, day] = value === "" ? [null, null, null] : value.split("-").map(Number);
    this.#parts = { year: year!, month: month!, day: day! };
  }
}

/** A year is typed figure by figure: 2031 is 2, 20 and 203 before. */
const typed = (part: Part, digits: number): Stroke[] =>
  [...String(digits)].map((_, at, all) => ({
    is: "types",
    part,
    digits: Number(all.slice(0, at + 1).join("")),
  }));

const types = (part: Part, max: number) =>
  fc.integer({ min: 1, max }).map((digits) => typed(part, digits));
const strokes: fc.Arbitrary<Stroke[]> = fc
  .array(
    fc.oneof(
      fc.integer({ min: 1, max: 5 }).chain((figures) => types("year", 10 ** figures - 1)),
      types("month", 12),
      types("day", 31),
      fc.constantFrom(...PARTS).map((part): Stroke[] => [{ is: "clears", part }]),
      fc.constant<Stroke[]>([{ is: "clears all" }]),
      fc.constant<Stroke[]>([{ is: "leaves" }]),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((all) => all.flat());

const day = fc
  .date({
    min: new Date("1000-01-01T00:00:00Z"),
    max: new Date("9999-12-31T00:00:00Z"),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString().slice(0, 10));

test("only days are stored of what is typed, and none is lost that was not taken away", async () => {
  const { todo } = await open();
  await add("Buy milk");
  const { id } = (await todo.tasks.query())[0]!;
  let run = 0;
  const check = async (former: string | null, all: Stroke[]) => {
    // A run before may have failed half way.
    if (document.querySelector("dialog[open]")) await close();
    await todo.tasks.update(id, { due: former });
    await edit("Buy milk");
    await shows(() => expect(field("Due").value).toBe(former ?? ""));
    const due = new DateField(field("Due"));
    due.element.value = former ?? "";
    // What was in the field whole, and might be stored; nothing, if it was emptied.
    const asked = new Set([former]);
    let wanted: string | null = former;
    let isTyped = false;
    for (const stroke of [...all, { is: "leaves" } as const]) {
      const before = { value: due.value, isValid: due.isValid };
      const isTold = due.take(stroke);
      const { value, isValid } = stroke.is === "leaves" ? before : due;
      if (stroke.is !== "leaves") isTyped ||= isTold;
      if (isTold && isTyped && isValid) asked.add((wanted = value || null));
      if (stroke.is === "leaves") isTyped = false;
    }
    // What is stored after it is stored in its turn.
    const notes = `run ${++run}`;
    await enter("Notes", notes);
    await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe(notes));
    const held = (await todo.tasks.get(id))?.due ?? null;
    expect([...asked]).toContain(held);
    if (due.isValid) expect(held).toBe(wanted);
    await shows(() => expect(due.value || null).toBe(held));
    await close();
    expect((await todo.tasks.get(id))?.due ?? null).toBe(held);
  };
  await fc.assert(fc.asyncProperty(fc.option(day), strokes, check), { numRuns: RUNS });
});

test("where a date is typed as a text, what is no day is not stored, and given back", async () => {
  const { todo } = await open();
  await add("Buy milk");
  const { id } = (await todo.tasks.query())[0]!;
  await todo.tasks.update(id, { due: "2031-11-11" });
  await edit("Buy milk");
  await shows(() => expect(field("Due").value).toBe("2031-11-11"));
  const due = field("Due");
  due.type = "text";
  for (const text of ["soon", "2031-02-30", "12031-01-01", "0203-01-01", "11.11.2032"]) {
    await enter("Due", text);
    await enter("Notes", text);
    await stored(todo.tasks.liveGet(id), (task) => expect(task?.notes).toBe(text));
    expect((await todo.tasks.get(id))?.due).toBe("2031-11-11");
    expect(due.value).toBe("2031-11-11");
  }
  await type("Due", "2032-13-01");
  await close();
  await edit("Buy milk");
  await enter("Due", "2032-02-29");
  await stored(todo.tasks.liveGet(id), (task) => expect(task?.due).toBe("2032-02-29"));
  dialog("Edit task");
  await appears(() => field("Due"));
});
