import { describe, expect, test, vi } from "vitest";
import type { Task } from "@syncline/apps/todo";
import { between, dayNamed, dayOf, plusDays, sayDay } from "../src/model/days";
import { sayLoss } from "../src/model/faults";
import { commandOf, KEYS, sayKey } from "../src/model/keys";
import { labelName } from "../src/model/labels";
import { nextDue, REPEATS, sayRepeat } from "../src/model/repeat";
import { countsOf, keyOf, select, type View } from "../src/model/views";
import { parse } from "../src/model/words";
import { labelNamed } from "../src/todo/lists";

const TUESDAY = "2026-11-24";

describe("days", () => {
  test("are named by words", () => {
    const named = (word: string) => dayNamed(word, TUESDAY);
    expect(["today", "Tomorrow", "wednesday", "monday", "tuesday", "milk"].map(named)).toEqual([
      "2026-11-24",
      "2026-11-25",
      "2026-11-25",
      "2026-11-30",
      "2026-12-01",
      null,
    ]);
  });

  test("are said without a new format for each", () => {
    let made = 0;
    class Counted extends Intl.DateTimeFormat {
      constructor(...asked: ConstructorParameters<typeof Intl.DateTimeFormat>) {
        super(...asked);
        made++;
      }
    }
    vi.stubGlobal("Intl", { DateTimeFormat: Counted });
    const asked = vi.spyOn(Date.prototype, "toLocaleDateString");
    for (let n = 2; n < 1_000; n++) sayDay(plusDays(TUESDAY, n), TUESDAY, "en-IE");
    expect(made + asked.mock.calls.length).toBe(3);
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  test("are said as people say them", () => {
    const said = [
      "2026-11-24",
      "2026-11-25",
      "2026-11-23",
      "2026-11-28",
      "2026-12-24",
      "2027-01-05",
    ];
    expect(said.map((day) => sayDay(day, TUESDAY, "en-GB"))).toEqual([
      "Today",
      "Tomorrow",
      "Yesterday",
      "Saturday",
      "24 Dec",
      "5 Jan 2027",
    ]);
  });

  test("are those of the device, and count over a change of clocks", () => {
    expect(dayOf(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05");
    expect(between("2026-03-28", "2026-03-30")).toBe(2);
  });
});

describe("a repeated task", () => {
  test.each([
    ["FREQ=DAILY", "2026-11-24", "2026-11-25"],
    ["FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-11-27", "2026-11-30"],
    ["FREQ=WEEKLY", "2026-11-24", "2026-12-01"],
    ["FREQ=WEEKLY;INTERVAL=2", "2026-11-24", "2026-12-08"],
    ["FREQ=MONTHLY", "2027-01-31", "2027-03-31"],
    ["FREQ=YEARLY", "2028-02-29", "2032-02-29"],
  ])("%s after %s comes on %s", (rule, due, next) => {
    expect(nextDue(rule, due, due)).toBe(next);
  });

  test("keeps its day of the month over a short one, and skips what was missed", () => {
    expect(nextDue("FREQ=MONTHLY", "2027-01-31", "2027-03-31")).toBe("2027-05-31");
    expect(nextDue("FREQ=YEARLY", "1024-02-29", "2026-11-24")).toBe("2028-02-29");
    expect(nextDue("FREQ=WEEKLY", "2026-01-06", TUESDAY)).toBe("2026-12-01");
  });

  test("is there at once however long ago its day was, and ends with the years", () => {
    for (const { rule } of REPEATS) {
      const next = nextDue(rule, "1000-01-01", TUESDAY)!;
      expect(next > TUESDAY && next <= "2027-01-01").toBe(true);
      expect(nextDue(rule, "9999-12-31", TUESDAY)).toBeNull();
    }
  });

  test("that is done early comes after its day", () => {
    expect(nextDue("FREQ=DAILY", "2026-11-30", TUESDAY)).toBe("2026-12-01");
  });

  test("of another client's rule is shown as it is, and not guessed at", () => {
    expect(nextDue("FREQ=HOURLY", null, TUESDAY)).toBeNull();
    expect(sayRepeat("FREQ=HOURLY")).toBe("FREQ=HOURLY");
    expect(sayRepeat(REPEATS[0].rule)).toBe("Every day");
  });
});

test("a label's name fits into the record that gives it", () => {
  expect(labelName(" #At the Office ")).toBe("at-the-office");
  for (const typed of ["x".repeat(300), "家".repeat(60), "👍".repeat(60)]) {
    const name = labelName(typed);
    const bytes = Buffer.byteLength(`${crypto.randomUUID()} ${labelNamed([], name).id}`);
    expect(bytes <= 128 && typed.startsWith(name) && name.length > 20).toBe(true);
  }
});

test("a new task's text says day, labels and importance", () => {
  expect(parse("Call  Ada tomorrow #Phone !", TUESDAY)).toEqual({
    title: "Call Ada",
    due: "2026-11-25",
    labels: ["phone"],
    isImportant: true,
  });
  const { title, due } = parse("Watch Friday the 13th", TUESDAY);
  expect({ title, due }).toEqual({ title: "Watch Friday the 13th", due: null });
  expect(parse("Sit in the sun", TUESDAY)).toMatchObject({ title: "Sit in the sun", due: null });
  for (const text of ["Call Ada on sun", "Call Ada On Sunday", "Call Ada sunday"])
    expect(parse(text, TUESDAY)).toMatchObject({ title: "Call Ada", due: "2026-11-29" });
  expect(parse("On sunday", TUESDAY)).toMatchObject({ title: "On", due: "2026-11-29" });
  expect(parse("Sunday", TUESDAY)).toMatchObject({ title: "Sunday", due: null });
  expect(parse("C# and # and !!", TUESDAY)).toMatchObject({ title: "C# and # and !!", labels: [] });
  // What names no task is what it is called.
  for (const title of ["#phone", "!", "#phone !"])
    expect(parse(` ${title}  `, TUESDAY)).toEqual({
      title,
      due: null,
      labels: [],
      isImportant: false,
    });
  expect(parse(" ", TUESDAY).title).toBe("");
  expect(parse("Fix #12 #2nd", TUESDAY)).toMatchObject({ title: "Fix #12", labels: ["2nd"] });
});

describe("a view", () => {
  const task = (id: string, more: Partial<Task> = {}): Task => ({
    id,
    title: id,
    done: false,
    order: 1,
    ...more,
  });
  const tasks = [
    task("late", { due: plusDays(TUESDAY, -2), order: 9 }),
    task("now", { due: TUESDAY }),
    task("later", { due: plusDays(TUESDAY, 9), project: "p" }),
    task("whenever", { notes: "Oat milk" }),
    task("over", { done: true, doneAt: "2026-11-23T00:00:00Z" }),
  ];
  const beside = {
    today: TUESDAY,
    labelsOf: ({ id }: Task) => (id === "now" ? [{ id: "l", name: "phone" }] : []),
    projectOf: ({ project }: Task) => (project ? { name: "Garden" } : undefined),
  };
  const ids = (view: View, search = "") => select(tasks, view, search, beside).map(({ id }) => id);

  test("shows its tasks in their order", () => {
    expect(ids({ is: "all" })).toEqual(["later", "now", "whenever", "late"]);
    expect(ids({ is: "today" })).toEqual(["late", "now"]);
    expect(ids({ is: "upcoming" })).toEqual(["later"]);
    expect(ids({ is: "done" })).toEqual(["over"]);
    expect(ids({ is: "project", id: "p" })).toEqual(["later"]);
    expect(ids({ is: "label", id: "l" })).toEqual(["now"]);
  });

  test("has the count of what it shows", () => {
    const labelsOf = vi.fn(beside.labelsOf);
    const counts = countsOf(tasks, { ...beside, labelsOf });
    expect(labelsOf.mock.calls.length).toBeLessThanOrEqual(tasks.length);
    const views: View[] = [
      ...(["all", "today", "upcoming", "done"] as const).map((is) => ({ is })),
      { is: "project", id: "p" },
      { is: "label", id: "l" },
    ];
    for (const view of views)
      expect(counts.get(keyOf(view))).toBe(select(tasks, view, "", beside).length);
    expect(counts.get(keyOf({ is: "project", id: "none" }))).toBeUndefined();
  });

  test("is searched by title, notes, project and label, whatever it shows", () => {
    expect(ids({ is: "today" }, "oat MILK")).toEqual(["whenever"]);
    expect(ids({ is: "today" }, "garden")).toEqual(["later"]);
    expect(ids({ is: "today" }, "#phone")).toEqual(["now"]);
    expect(ids({ is: "today" }, "over")).toEqual(["over"]);
    expect(ids({ is: "today" }, "nowhere")).toEqual([]);
  });
});

test("every key has one command, and none with Control", () => {
  const keys = KEYS.flatMap((one) => one.keys as readonly string[]);
  expect(new Set(keys).size).toBe(keys.length);
  const pressed = { altKey: false, ctrlKey: false, metaKey: false };
  expect(commandOf({ ...pressed, key: "n" })).toBe("new");
  expect(commandOf({ ...pressed, key: "ArrowUp", altKey: true })).toBe("up");
  expect(commandOf({ ...pressed, key: "n", ctrlKey: true })).toBeNull();
  expect(sayKey("Alt+ArrowUp")).toBe("Alt ↑");
});

test("a loss is told with what comes back, by what has happened and where else it is", () => {
  const told = (["evicted", "unreadable"] as const).flatMap((loss) =>
    (["account", "guest"] as const).map((whose) => sayLoss(loss, whose).text),
  );
  const ends = [
    /What had been sent is at the hub and comes back; what had not is gone\.$/,
    /It was on this device alone, and is gone\.$/,
    /What had been sent is at the hub and comes back; what had not is still here, and comes back if/,
    /It is still here, and comes back if the browser can read it/,
  ];
  told.forEach((text, at) => expect(text).toMatch(ends[at]!));
  expect(told.filter((text) => text.includes("deleted what"))).toEqual(told.slice(0, 2));
});
