/** The script by keyboard alone: nothing is clicked, filled or focused from outside. */
import type { Page } from "playwright-core";
import type { Step } from "./script";
import { button, isEdited, says, until } from "./steps";

/** Presses of Tab after which something is not to be found. */
const TABS_MAX = 60;

/** Options that are looked at. */
const OPTIONS_MAX = 20;

/** Tabs until what is called `name` has the focus. */
export async function tabTo(
  page: Page,
  name: string | RegExp,
  key: "Tab" | "Shift+Tab" = "Tab",
): Promise<void> {
  const wanted = page
    .getByLabel(name, { exact: true })
    .or(page.getByRole("button", { name, exact: true }));
  for (let n = 0; n < TABS_MAX; n++) {
    const has = await wanted
      .or(page.getByRole("combobox", { name, exact: true }))
      .and(page.locator(":focus"))
      .count();
    if (has > 0) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${name} is not reached by ${key}`);
}

/** Chooses in the list that has the focus. Letters would have to follow each other in a second. */
export async function choose(page: Page, option: string): Promise<void> {
  const chosen = page.locator("select:focus");
  for (let n = 0; n < OPTIONS_MAX; n++) {
    if ((await chosen.evaluate(chosenText)) === option) return;
    await page.keyboard.press("ArrowDown");
  }
  throw new Error(`${option} is not to be chosen`);
}

const chosenText = (select: SVGElement | HTMLElement) =>
  (select as HTMLSelectElement).selectedOptions[0]?.text;

const row = (page: Page, title: string) => page.locator("main").getByText(title, { exact: true });

/** Goes to a task with j and k. */
export async function goTo(page: Page, title: string): Promise<void> {
  const focused = page.locator(".title:focus", { has: page.getByText(title, { exact: true }) });
  for (let n = 0; n < TABS_MAX && (await focused.count()) === 0; n++)
    await page.keyboard.press("j");
  // From the first one on, if it was passed.
  for (let n = 0; n < TABS_MAX && (await focused.count()) === 0; n++)
    await page.keyboard.press("k");
  await focused.waitFor();
}

export async function edit(page: Page, title: string, work: () => Promise<void>): Promise<void> {
  await goTo(page, title);
  await page.keyboard.press("e");
  await page.getByRole("dialog", { name: "Edit task" }).waitFor();
  await work();
  await page.keyboard.press("Escape");
  await isEdited(page);
}

const add = async (page: Page, text: string) => {
  await page.keyboard.press("n");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
};

export const byKeyboard = (user: string): Record<Step, (page: Page) => Promise<void>> => ({
  "add a task": async (page) => {
    await add(page, "Buy milk");
    await row(page, "Buy milk").waitFor();
  },
  "add an important task for tomorrow with a label": async (page) => {
    await add(page, "Call Ada tomorrow #phone !");
    const row = page.locator("[data-task]", { has: page.getByText("Call Ada", { exact: true }) });
    for (const part of ["Tomorrow", "#phone", "Important"])
      await row.getByText(part, { exact: true }).waitFor();
  },
  "tick a task off, and take it back": async (page) => {
    await goTo(page, "Buy milk");
    await page.keyboard.press("Space");
    await says(page, "Done: “Buy milk”");
    await row(page, "Buy milk").waitFor({ state: "detached" });
    await page.keyboard.press("u");
    await row(page, "Buy milk").waitFor();
  },
  "write notes": (page) =>
    edit(page, "Buy milk", async () => {
      await tabTo(page, "Notes");
      await page.keyboard.type("Two litres");
    }),
  "set a due date": async (page) => {
    await edit(page, "Buy milk", async () => {
      await tabTo(page, "Due");
      await page.keyboard.type("11112031");
    });
    await says(page, "11 Nov 2031");
  },
  "have it repeat, and do it once": async (page) => {
    await edit(page, "Buy milk", async () => {
      await tabTo(page, "Repeat");
      await choose(page, "Every week");
    });
    await goTo(page, "Buy milk");
    await page.keyboard.press("Space");
    await says(page, "“Buy milk” comes again: 18 Nov 2031");
  },
  "give it a new label": async (page) => {
    await edit(page, "Buy milk", async () => {
      await tabTo(page, "New label");
      await page.keyboard.type("shop");
      await page.keyboard.press("Enter");
      await page.getByRole("checkbox", { name: "#shop", checked: true }).waitFor();
    });
  },
  "make a project and put the task into it": async (page) => {
    await page.keyboard.press("n");
    // Beside the tasks, or behind a button where there is no room.
    const isBeside = await button(page, "Lists").isHidden();
    if (!isBeside) {
      await tabTo(page, "Lists", "Shift+Tab");
      await page.keyboard.press("Enter");
    }
    await tabTo(page, "New project", isBeside ? "Shift+Tab" : "Tab");
    await page.keyboard.type("Household");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Household" }).waitFor();
    if (isBeside) await tabTo(page, "Add project");
    await page.keyboard.press("1");
    await page.getByRole("heading", { name: "All tasks" }).waitFor();
    await edit(page, "Buy milk", async () => {
      await tabTo(page, "Project");
      await choose(page, "Household");
    });
    await page.locator("main").getByText("Household", { exact: true }).waitFor();
  },
  "set a reminder": async (page) => {
    await edit(page, "Buy milk", async () => {
      await tabTo(page, "Remind at");
      await page.keyboard.type("111020310930AM");
      await tabTo(page, "Remind");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: /^Remove reminder/ }).waitFor();
    });
  },
  "put a task before another": async (page) => {
    await goTo(page, "Call Ada");
    await page.keyboard.press("Alt+ArrowUp");
    await page.waitForFunction(() => {
      const found = [...document.querySelectorAll("main li .text")].map((one) => one.textContent);
      return found.indexOf("Call Ada") < found.indexOf("Buy milk");
    });
    await page
      .locator(".title:focus", { has: page.getByText("Call Ada", { exact: true }) })
      .waitFor();
  },
  "find a task": async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("litres");
    await page.getByRole("heading", { name: "Found: litres" }).waitFor();
    await row(page, "Call Ada").waitFor({ state: "detached" });
    await until(page, ["Buy milk"]);
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { name: "All tasks" }).waitFor();
  },
  "delete a task, take that back, and sign in": async (page) => {
    await goTo(page, "Call Ada");
    await page.keyboard.press("d");
    await says(page, "Deleted “Call Ada”");
    await row(page, "Call Ada").waitFor({ state: "detached" });
    await page.keyboard.press("u");
    await row(page, "Call Ada").waitFor();
    await page.keyboard.press("/");
    await tabTo(page, "Sign in");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "Sign in" }).waitFor();
    await page.keyboard.type(user);
    await page.keyboard.press("Enter");
    await says(page, `Signed in as ${user}`);
  },
});
