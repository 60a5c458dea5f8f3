/** By keyboard alone: what is pressed may go with what it does, and the focus goes on beside it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { edit, goTo, tabTo } from "./keyboard";
import { add, field, holdToast, rows, says, signIn, syncs } from "./steps";
import { AT_BOTH, hasChromium, PHONE, World } from "./world";

/** Waits until what is called `name` has the focus. */
const focuses = (page: Page, name: string | RegExp) =>
  page
    .getByRole("button", { name, exact: true })
    .or(page.getByRole("heading", { name, exact: true }))
    .or(page.getByRole("textbox", { name, exact: true }))
    .and(page.locator(":focus"))
    .waitFor();

describe.skipIf(!hasChromium)("the focus in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world?.stop());

  test("goes on after what was undone, archived, moved or removed", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    await rows(page).first().waitFor();
    await goTo(page, "Water the plants");
    await page.keyboard.press("Space");
    await says(page, "“Water the plants” comes again");
    await holdToast(page);
    await tabTo(page, "Undo");
    await page.keyboard.press("Enter");
    await says(page, "Taken back");
    await focuses(page, "All tasks");

    await edit(page, "Water the plants", async () => {
      for (const day of ["11102031", "11112031"]) {
        await tabTo(page, "Remind at");
        await page.keyboard.type(`${day}0930AM`);
        await tabTo(page, "Remind");
        await page.keyboard.press("Enter");
      }
      const removals = page.locator("[aria-label^='Remove reminder']");
      await removals.nth(1).waitFor();
      for (let tabs = 0; tabs < 60; tabs++) {
        await page.keyboard.press("Shift+Tab");
        if ((await removals.and(page.locator(":focus")).count()) > 0) break;
      }
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Enter");
      await removals.nth(1).waitFor({ state: "detached" });
      await focuses(page, /^Remove reminder/);
      await page.keyboard.press("Enter");
      await focuses(page, "Remind");
      for (let steps = 0; steps < 4; steps++) {
        await tabTo(page, "Move up");
        await page.keyboard.press("Enter");
        await page
          .locator("main li")
          .nth(3 - steps)
          .getByText("Water the plants")
          .waitFor({ state: "attached" });
      }
      await focuses(page, "Move down");
    });
    await focuses(page, /^Water the plants/);
    await close();
  });

  test.each(AT_BOTH)("is never behind the header, at %s px", async (_, as) => {
    const { page, url, close } = await world.device(as);
    await page.goto(url);
    await rows(page).first().waitFor();
    for (let n = 0; n < 20; n++) await add(page, `Task ${n}`);
    await rows(page).filter({ hasText: "Task 19" }).waitFor();
    await page.keyboard.press("Escape");
    await goTo(page, "Task 19");
    const behind = () => {
      const header = document.querySelector("header")!.getBoundingClientRect();
      const { top } = document.activeElement!.getBoundingClientRect();
      return top < header.bottom ? [document.activeElement!.textContent] : [];
    };
    for (let n = 0; n < 25; n++) {
      await page.keyboard.press("k");
      expect(await page.evaluate(behind)).toEqual([]);
    }
    await close();
  });

  test("goes on without moving the page under the finger that ticks a task off", async () => {
    const { page, url, close } = await world.device(PHONE);
    await page.goto(url);
    for (let n = 0; n < 6; n++) await add(page, `Task ${n}`);
    await rows(page).filter({ hasText: "Task 5" }).waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    // The last whose box is in the window: what has the focus then is not.
    const boxes = page.getByLabel(/^Done: /);
    const seen = await boxes.evaluateAll(
      (all) => all.filter((one) => one.getBoundingClientRect().bottom < innerHeight).length,
    );
    const box = (await boxes.nth(seen - 1).boundingBox())!;
    await page.touchscreen.tap(box.x + box.width / 2, box.y + box.height / 2);
    await says(page, /^Done: “/);
    await page.locator("[data-task] .title:focus").waitFor();
    expect(await page.evaluate(() => scrollY)).toBe(0);
    await close();
  });

  test("goes from one refused change to the next, and then to the sheet", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    await signIn(page, "decides");
    await syncs(page, "Synced");
    for (const task of [/^Tick me off/, /^Add a task/]) {
      await page.getByRole("button", { name: task }).click();
      // More than a record may have.
      await field(page, "Notes").fill("long ".repeat(60_000));
      await page.keyboard.press("Escape");
    }
    await says(page, "2 changes were refused.");
    await tabTo(page, "Look at it");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Refused changes" });
    await dialog.getByText(/^Set notes of “Add a task/).waitFor();
    await tabTo(page, /^Discard: Set notes of “Tick me off/);
    await page.keyboard.press("Enter");
    await dialog.getByText(/^Set notes of “Tick me off/).waitFor({ state: "detached" });
    await focuses(page, /^Discard: Set notes of “Add a task/);
    await page.keyboard.press("Enter");
    await says(page, "There are none.");
    await focuses(page, "Close");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    // What opened it has gone with what it told of.
    await focuses(page, "All tasks");
    await close();
  });
});
