/** The browser's own Back: a real one takes its steps later, and keeps them over a sign-out. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { add, button, field, isAt, rows, says, signIn, syncs } from "./steps";
import { hasChromium, PHONE, World } from "./world";

describe.skipIf(!hasChromium)("the history in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world?.stop());

  test("Back closes what is open and goes to the view before, and a reload shows the same", async () => {
    const { page, url, close } = await world.device(PHONE);
    await page.goto(url);
    await rows(page).first().waitFor();
    await button(page, "Lists").tap();
    await page.getByRole("dialog").getByRole("button", { name: /^Home/ }).tap();
    await page.getByRole("heading", { name: "Home" }).waitFor();
    await page.getByRole("button", { name: /^Water the plants/ }).tap();
    const dialog = page.getByRole("dialog", { name: "Edit task" });
    await dialog.waitFor();
    await page.reload();
    await dialog.waitFor();
    await page.goBack();
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("heading", { name: "Home" }).waitFor();
    await button(page, "Sync details").tap();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).tap();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.waitForFunction(() => (history.state as { sheet: unknown }).sheet === null);
    await page.goBack();
    await page.getByRole("heading", { name: "All tasks" }).waitFor();
    await close();
  });

  test("after a sign-out Back leads to nothing of the account, and no link names it", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    await signIn(page, "leaves");
    await syncs(page, "Synced");
    await add(page, "My secret");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /^Home/ }).click();
    await page.getByRole("heading", { name: "Home" }).waitFor();
    await page.getByRole("button", { name: /^Today/ }).click();
    await page.getByRole("heading", { name: "Today" }).waitFor();
    await field(page, "Search tasks").fill("secret");
    await page.getByRole("heading", { name: "Found: secret" }).waitFor();
    await rows(page).filter({ hasText: "My secret" }).click();
    await page.getByRole("dialog", { name: "Edit task" }).waitFor();
    await isAt(page, /task=/);
    await page.reload();
    await page.getByRole("dialog", { name: "Edit task" }).waitFor();
    await page.keyboard.press("Escape");
    await isAt(page, /search=secret$/);
    await button(page, "Account leaves").click();
    await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
    await says(page, "Signed out");
    await isAt(page, /^#\/all$/);
    for (const place of ["Today", "All tasks"]) {
      await page.goBack();
      await page.getByRole("heading", { name: place }).waitFor();
      await isAt(page, /^(#\/(all|today))?$/);
      expect(await field(page, "Search tasks").inputValue()).toBe("");
    }
    await close();
  });

  test("who types much at once still has the page, and the link of what was typed", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    await rows(page).first().waitFor();
    await field(page, "Search tasks").click();
    // More than a browser lets a page write of it.
    const text = "milk ".repeat(60).trim();
    await page.keyboard.type(text);
    await isAt(page, new RegExp(`search=${text.replaceAll(" ", "\\+")}$`));
    await page.keyboard.press("Escape");
    await isAt(page, /^#\/all$|^$/);
    await close();
  });
});
