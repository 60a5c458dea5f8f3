/**
 * The script by touch: taps and drags, and an on-screen keyboard for what is written. Nothing is
 * filled, chosen or focused from outside.
 */
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { TARGET_PX } from "./checks";
import type { Step } from "./script";
import { button, choice, field, holdToast, isEdited, says, until } from "./steps";

/** Seconds between two positions of a finger. */
const MOVE_S = 0.05;

/** Of two of a name, one is not shown at this width. */
const shown = (page: Page, name: string) => field(page, name).filter({ visible: true });

const row = (page: Page, title: string) =>
  page.locator("[data-task]", { has: page.getByText(title, { exact: true }) });

async function type(page: Page, name: string, text: string): Promise<void> {
  await shown(page, name).tap();
  // The on-screen keyboard comes up when it has the focus.
  await shown(page, name).and(page.locator(":focus")).waitFor();
  await page.keyboard.type(text);
}

/** Taps the first part of a day's field and writes; part follows on part. */
async function write(page: Page, name: string, figures: string): Promise<void> {
  await field(page, name).tap({ position: { x: 20, y: 22 } });
  await field(page, name).and(page.locator(":focus")).waitFor();
  await page.keyboard.type(figures);
}

/** Taps a list and one of its options, which are in the page. */
async function choose(page: Page, name: string, option: string): Promise<void> {
  await choice(page, name).tap();
  const wanted = page.getByRole("option", { name: option, exact: true });
  await wanted.waitFor();
  expect((await wanted.boundingBox())!.height).toBeGreaterThanOrEqual(TARGET_PX);
  await wanted.tap();
  await wanted.waitFor({ state: "hidden" });
}

async function edit(page: Page, title: string, work: () => Promise<void>): Promise<void> {
  await row(page, title).locator(".title").tap();
  const dialog = page.getByRole("dialog", { name: "Edit task" });
  await dialog.waitFor();
  await work();
  await dialog.getByRole("button", { name: "Close" }).tap();
  await isEdited(page);
}

async function add(page: Page, text: string): Promise<void> {
  await type(page, "New task", text);
  await button(page, "Add").tap();
}

/** Drags a task by its handle to the middle of another. */
async function drag(page: Page, title: string, onto: string): Promise<void> {
  const handle = button(page, `Move: ${title}`);
  // What was done last may be told above it.
  await handle.evaluate((one) => one.scrollIntoView({ block: "center" }));
  const [from, to] = [await handle.boundingBox(), await row(page, onto).boundingBox()];
  const x = from!.x + from!.width / 2;
  const [start, end] = [from!.y + from!.height / 2, to!.y + 4];
  const cdp = await page.context().newCDPSession(page);
  // As slowly as a hand, or it is a throw, and the next tap only ends its flight.
  let at = Date.now() / 1000;
  const touch = (type: "touchStart" | "touchMove" | "touchEnd", y?: number) => {
    at += MOVE_S;
    const touchPoints = y === undefined ? [] : [{ x, y }];
    return cdp.send("Input.dispatchTouchEvent", { type, touchPoints, timestamp: at });
  };
  await touch("touchStart", start);
  for (let part = 1; part <= 8; part++)
    await touch("touchMove", start + ((end - start) * part) / 8);
  for (let rest = 1; rest <= 3; rest++) await touch("touchMove", end);
  await touch("touchEnd");
  await cdp.detach();
}

export const byTouch = (user: string): Record<Step, (page: Page) => Promise<void>> => ({
  "add a task": async (page) => {
    await add(page, "Buy milk");
    await row(page, "Buy milk").waitFor();
  },
  "add an important task for tomorrow with a label": async (page) => {
    await add(page, "Call Ada tomorrow #phone !");
    for (const part of ["Tomorrow", "#phone", "Important"])
      await row(page, "Call Ada").getByText(part, { exact: true }).waitFor();
  },
  "tick a task off, and take it back": async (page) => {
    await field(page, "Done: Buy milk").tap();
    await says(page, "Done: “Buy milk”");
    await holdToast(page);
    await row(page, "Buy milk").waitFor({ state: "detached" });
    await button(page, "Undo").tap();
    await row(page, "Buy milk").waitFor();
  },
  "write notes": (page) => edit(page, "Buy milk", () => type(page, "Notes", "Two litres")),
  "set a due date": async (page) => {
    await edit(page, "Buy milk", () => write(page, "Due", "11112031"));
    await says(page, "11 Nov 2031");
  },
  "have it repeat, and do it once": async (page) => {
    await edit(page, "Buy milk", () => choose(page, "Repeat", "Every week"));
    await row(page, "Buy milk").getByText("Every week").waitFor();
    await field(page, "Done: Buy milk").tap();
    await says(page, "“Buy milk” comes again: 18 Nov 2031");
  },
  "give it a new label": (page) =>
    edit(page, "Buy milk", async () => {
      await type(page, "New label", "shop");
      await button(page, "Add label").tap();
      await page.getByRole("checkbox", { name: "#shop", checked: true }).waitFor();
    }),
  "make a project and put the task into it": async (page) => {
    await button(page, "Lists").tap();
    const lists = page.getByRole("dialog", { name: "Lists" });
    await type(page, "New project", "Household");
    await lists.getByRole("button", { name: "Add project" }).tap();
    await page.getByRole("heading", { name: "Household" }).waitFor();
    await button(page, "Lists").tap();
    await lists.getByRole("button", { name: /^All tasks/ }).tap();
    await page.getByRole("heading", { name: "All tasks" }).waitFor();
    await edit(page, "Buy milk", () => choose(page, "Project", "Household"));
    await row(page, "Buy milk").getByText("Household", { exact: true }).waitFor();
  },
  "set a reminder": (page) =>
    edit(page, "Buy milk", async () => {
      await write(page, "Remind at", "111020310930AM");
      await button(page, "Remind").tap();
      await page.getByRole("button", { name: /^Remove reminder/ }).waitFor();
    }),
  "put a task before another": async (page) => {
    await drag(page, "Call Ada", "Buy milk");
    await page.waitForFunction(() => {
      const found = [...document.querySelectorAll("main li .text")].map((one) => one.textContent);
      return found.indexOf("Call Ada") < found.indexOf("Buy milk");
    });
  },
  "find a task": async (page) => {
    await type(page, "Search tasks", "litres");
    await page.getByRole("heading", { name: "Found: litres" }).waitFor();
    await row(page, "Call Ada").waitFor({ state: "detached" });
    await until(page, ["Buy milk"]);
    await button(page, "Clear search").tap();
    await page.getByRole("heading", { name: "All tasks" }).waitFor();
  },
  "delete a task, take that back, and sign in": async (page) => {
    await row(page, "Call Ada").locator(".title").tap();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).tap();
    await says(page, "Deleted “Call Ada”");
    await holdToast(page);
    await row(page, "Call Ada").waitFor({ state: "detached" });
    await button(page, "Undo").tap();
    await row(page, "Call Ada").waitFor();
    await button(page, "Sign in").tap();
    const dialog = page.getByRole("dialog", { name: "Sign in" });
    await dialog.waitFor();
    await type(page, "Name", user);
    await dialog.getByRole("button", { name: "Sign in" }).tap();
    await says(page, `Signed in as ${user}`);
  },
});
