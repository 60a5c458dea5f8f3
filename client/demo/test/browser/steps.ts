/** What people do and see, as steps for tests. */
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import type { Hub } from "../../../sdk/test/hub";

/** Milliseconds after which something is taken to hang. */
const HUNG_MS = 60_000;

export const rows = (page: Page): Locator => page.locator("main li .title .text");
export const button = (page: Page, name: string | RegExp) =>
  page.getByRole("button", { name, exact: true });
export const field = (page: Page, name: string) => page.getByLabel(name, { exact: true });
export const choice = (page: Page, name: string) =>
  page.getByRole("combobox", { name, exact: true });
export const titles = (page: Page) => rows(page).allTextContents();

/** Waits until the texts that are shown are these, in this order. */
export async function until(page: Page, wanted: string[]): Promise<void> {
  await page.waitForFunction((wanted) => {
    const found = [...document.querySelectorAll("main li .title .text")].map(
      (one) => one.textContent,
    );
    return JSON.stringify(found) === JSON.stringify(wanted);
  }, wanted);
}

/** Waits until a field holds a text. */
export const holds = async (page: Page, name: string, text: string): Promise<void> => {
  const found = await field(page, name).elementHandle();
  await page.waitForFunction(([one, text]) => (one as HTMLInputElement).value === text, [
    found,
    text,
  ] as const);
};

/** What is shown comes before what is sent: waits until the hub holds what `is` wants. */
export async function hubHolds(
  hub: Hub,
  user: string,
  is: (held: Record<string, unknown>) => void,
): Promise<void> {
  await expect
    .poll(
      async () => {
        try {
          is(await hub.holds(user));
          return "held";
        } catch (error) {
          return String(error);
        }
      },
      { timeout: HUNG_MS, interval: 100 },
    )
    .toBe("held");
}

/** Waits until so many tasks are shown. */
export const shows = (page: Page, count: number) =>
  page.waitForFunction(
    (count) => document.querySelectorAll("main li .title .text").length === count,
    count,
  );

/** Waits until the task at the end has the focus. */
export const focusesLast = (page: Page) =>
  page.waitForFunction(() => {
    const last = [...document.querySelectorAll("main li .title")].at(-1);
    return last && last === document.activeElement;
  });

/** Waits until the editor is closed, and the step back that this is has been taken. */
export async function isEdited(page: Page): Promise<void> {
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction(() => !location.hash.includes("task="));
}

/** Waits for a text somewhere in what is shown. */
export const says = (page: Page, text: string | RegExp) =>
  page.getByText(text).filter({ visible: true }).first().waitFor();

/** Points at the toast, which stays then: a slow machine may take longer than it does. */
export const holdToast = (page: Page) => page.locator(".toast").dispatchEvent("pointerenter");

export const syncs = (page: Page, words: string | RegExp) =>
  page.locator(".sync-status").filter({ hasText: words }).first().waitFor();

export async function signIn(page: Page, name: string, choice?: string): Promise<void> {
  await button(page, "Sign in").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(name);
  if (choice) await dialog.getByLabel(choice).check();
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "detached" });
}

/** Adds a task by the field. */
export async function add(page: Page, text: string): Promise<void> {
  await field(page, "New task").fill(text);
  await field(page, "New task").press("Enter");
}

/** Waits until the service worker has what the app needs without a network. */
export const keepsFiles = (page: Page) =>
  page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });

/** Waits until the link says this after `#`. The browser's own steps are told by nothing shown. */
export const isAt = (page: Page, link: RegExp) =>
  page.waitForFunction(([source]) => new RegExp(source).test(location.hash), [
    link.source,
  ] as const);
