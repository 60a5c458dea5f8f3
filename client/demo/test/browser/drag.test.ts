/** Dragging in a list that is longer than the window. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { add, button, rows, titles, until } from "./steps";
import { hasChromium, World, type Device } from "./world";

const SEEDS = 6;
const ADDED = 14;

describe.skipIf(!hasChromium)("dragging in Chromium", () => {
  let world: World;
  let device: Device;
  let page: Page;
  let before: string[];
  beforeAll(async () => {
    world = await World.start();
    device = await world.device({ viewport: { width: 1280, height: 500 } });
    page = device.page;
    await page.goto(device.url);
    for (let n = 1; n <= ADDED; n++) {
      await add(page, `Task ${n}`);
      await rows(page)
        .nth(SEEDS + n - 1)
        .waitFor();
    }
    before = await titles(page);
  });
  afterAll(async () => {
    await device?.close();
    await world?.stop();
  });

  /** Takes a task by its handle. */
  async function hold(title: string): Promise<{ x: number; y: number }> {
    const handle = button(page, `Move: ${title}`);
    await handle.scrollIntoViewIfNeeded();
    const box = (await handle.boundingBox())!;
    const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    await page.mouse.move(at.x, at.y);
    await page.mouse.down();
    return at;
  }

  /** Lets go, and waits until it is stored. */
  async function drop(): Promise<void> {
    await page.mouse.up();
    await page.locator(".held").waitFor({ state: "detached" });
  }

  test("at the edge of the window the page scrolls along, down and up", async () => {
    const [first, ...others] = before as [string, ...string[]];
    const { x } = await hold(first);
    await page.mouse.move(x, 495, { steps: 5 });
    await until(page, [...others, first]);
    await drop();
    await page.reload();
    await until(page, [...others, first]);

    await hold(first);
    // Below what stays on top.
    const header = (await page.locator("header").first().boundingBox())!;
    await page.mouse.move(x, header.height + 2, { steps: 5 });
    await until(page, before);
    await drop();
    await page.reload();
    await until(page, before);
  });

  test("Escape ends a drag and leaves everything as it was", async () => {
    await page.evaluate(() => scrollTo(0, 0));
    const [first, second, ...others] = before as [string, string, ...string[]];
    const { x, y } = await hold(first);
    await page.mouse.move(x, y + 70, { steps: 5 });
    await until(page, [second, first, ...others]);
    await page.keyboard.press("Escape");
    await until(page, before);
    await page.mouse.move(x, y + 140, { steps: 5 });
    await page.mouse.up();
    await page.reload();
    await until(page, before);
    expect(await titles(page)).toEqual(before);
  });
});
