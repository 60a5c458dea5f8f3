/** What people would not have back if the app let go of it; each state with a picture. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isSound } from "./checks";
import { add, button, field, holds, rows, says, signIn, syncs } from "./steps";
import { AT_BOTH, hasChromium, PHONE, shot, World } from "./world";

describe.skipIf(!hasChromium)("what was written is kept in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world?.stop());

  test("what is typed outlives a reload in the middle of a word", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    for (const text of ["Two litres", "Two litres, the bl"]) {
      await page.getByRole("button", { name: /^Tick me off/ }).click();
      await field(page, "Notes").click();
      await page.keyboard.press("Control+A");
      await page.keyboard.type(text);
      await page.reload();
      // The editor is open again.
      await holds(page, "Notes", text);
      await page.keyboard.press("Escape");
    }
    await close();
  });

  test("a day is taken away part by part, and half a day is given back", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    await add(page, "Buy milk tomorrow");
    const row = page.locator("[data-task]", { hasText: "Buy milk" });
    await row.getByText("Tomorrow", { exact: true }).waitFor();
    await row.locator(".title").click();
    const due = field(page, "Due");
    const before = await due.inputValue();
    expect(before).not.toBe("");
    const leave = () => field(page, "Notes").click();
    await due.focus();
    await page.keyboard.press("Backspace");
    expect(await due.inputValue()).toBe("");
    await leave();
    await holds(page, "Due", before);
    await due.focus();
    for (let part = 0; part < 3; part++) {
      await page.keyboard.press("Backspace");
      await page.keyboard.press("ArrowRight");
    }
    await leave();
    await row.getByText("Tomorrow", { exact: true }).waitFor({ state: "detached" });
    await due.focus();
    // A day without a month and a year.
    await page.keyboard.type("11");
    await leave();
    await page.keyboard.press("Shift+Tab");
    await page.reload();
    await field(page, "Due").waitFor();
    await holds(page, "Due", "");
    await close();
  });

  test("a task that another device deletes is kept open, and comes back with what is typed", async () => {
    const phone = await world.device(PHONE);
    const laptop = await world.device();
    for (const { page, url } of [phone, laptop]) {
      await page.goto(url);
      await signIn(page, "deleted");
      await syncs(page, "Synced");
    }
    await add(phone.page, "Buy milk #shop");
    await rows(laptop.page).filter({ hasText: "Buy milk" }).waitFor();
    await phone.page.getByRole("button", { name: /^Buy milk/ }).tap();
    await field(phone.page, "Notes").tap();
    await phone.page.keyboard.type("Two li");
    await laptop.page.getByRole("button", { name: /^Buy milk/ }).click();
    await laptop.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await says(phone.page, "This task was deleted on another device");
    await phone.page.keyboard.type("tres");
    await holds(phone.page, "Notes", "Two litres");
    await isSound(phone.page);
    await shot(phone.page, "deleted-elsewhere-390");
    await button(phone.page, "Keep the task").tap();
    const row = laptop.page.locator("[data-task]", { hasText: "Buy milk" });
    await row.getByText("#shop", { exact: true }).waitFor();
    await row.locator(".title").click();
    await holds(laptop.page, "Notes", "Two litres");
    await phone.close();
    await laptop.close();
  });

  test.each(AT_BOTH)(
    "what is archived, renamed or to be deleted is told, at %s px",
    async (width, as) => {
      const { page, url, close } = await world.device(as);
      await page.goto(url);
      const lists = async () => {
        if (width === "390") await button(page, "Lists").click();
        return width === "390" ? page.getByRole("dialog", { name: "Lists" }) : page;
      };
      await (await lists()).getByRole("button", { name: /^Home/ }).click();
      await page.getByRole("heading", { name: "Home" }).waitFor();
      await button(page, "Rename").click();
      await page.getByRole("dialog", { name: "Rename project" }).waitFor();
      await holds(page, "Name", "Home");
      await isSound(page);
      await shot(page, `rename-${width}`);
      await page.keyboard.press("Escape");
      await button(page, "Archive").click();
      await says(page, "Archived “Home”");
      const nav = await lists();
      await nav.getByText("Archived projects", { exact: true }).click();
      await isSound(page);
      await nav.getByRole("button", { name: /^Home/ }).click();
      await says(page, "This project is archived.");
      await isSound(page);
      await shot(page, `archived-${width}`);
      await button(page, "Restore").click();
      await button(page, "Archive").waitFor();

      await add(page, "Written as a guest");
      await rows(page).filter({ hasText: "Written as a guest" }).waitFor();
      await button(page, "Sign in").click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill("asked");
      await dialog.getByLabel("Keep only them: replace what my account holds").check();
      await dialog.getByRole("button", { name: "Sign in" }).click();
      await dialog.getByText(/^Everything that asked’s account holds is deleted/).waitFor();
      await page.getByRole("button", { name: "Back" }).and(page.locator(":focus")).waitFor();
      await isSound(page);
      await shot(page, `sign-in-asks-${width}`);
      await button(page, "Back").click();
      await holds(page, "Name", "asked");
      await close();
    },
  );
});
