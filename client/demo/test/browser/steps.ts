/** What people do and see, as steps for tests. */
import type { Locator, Page } from "playwright-core";

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

/** Waits for a text somewhere in what is shown. */
export const says = (page: Page, text: string | RegExp) =>
  page.getByText(text).filter({ visible: true }).first().waitFor();

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
