/** A new build of the app under pages that are open. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { isSound } from "./checks";
import { button, field, holds, keepsFiles, rows, says } from "./steps";
import { built, hasChromium, shot, World } from "./world";

const caches = (page: Page) =>
  page.evaluate(async () => (await window.caches.keys()).filter((one) => one.startsWith("todo-")));

/** Waits until what the worker keeps is of one build. */
const keepsOne = (page: Page) =>
  page.waitForFunction(async () => (await window.caches.keys()).length === 1);

describe.skipIf(!hasChromium)("a new build in Chromium", () => {
  let world: World;
  let next: string;
  beforeAll(async () => {
    world = await World.start();
    next = await built("next-");
  });
  afterAll(async () => {
    await world?.stop();
    if (next) rmSync(next, { recursive: true, force: true });
  });

  test("is found, offered and taken without losing what is typed; other pages go on", async () => {
    const { page, url, close } = await world.device();
    await page.goto(url);
    await rows(page).first().waitFor();
    await keepsFiles(page);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    const [old] = await caches(page);
    const other = await page.context().newPage();
    await other.goto(url);
    await rows(other).first().waitFor();

    // The hub has the new build, and nothing of the old one.
    rmSync(join(world.folder, "assets"), { recursive: true });
    cpSync(next, world.folder, { recursive: true });
    await field(page, "New task").fill("Half a tas");
    await field(page, "New project").fill("Half a project");
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.update());
    for (const tab of [page, other]) await button(tab, "Reload to update").waitFor();
    await isSound(page);
    await shot(page, "update-1280");
    await page.waitForFunction(async () => (await window.caches.keys()).length === 2);

    await Promise.all([page.waitForEvent("load"), button(page, "Reload to update").click()]);
    await rows(page).first().waitFor();
    await page.locator("script[src*='next-']").waitFor({ state: "attached" });
    await holds(page, "New task", "Half a tas");
    await holds(page, "New project", "Half a project");

    // A part that it had no need of before.
    expect(await caches(page)).toContain(old);
    await button(other, "Sync details").click();
    await other
      .getByText(/of epoch|none/)
      .first()
      .waitFor();
    const client = other.locator(".debug-panel dd").nth(2);
    await client.filter({ hasNotText: "–" }).waitFor();
    await other.keyboard.press("Escape");
    await button(other, "Reload to update").waitFor();
    await Promise.all([other.waitForEvent("load"), button(other, "Reload to update").click()]);
    await rows(other).first().waitFor();
    await says(other, "Saved on this device");
    await other.reload();
    await keepsOne(other);
    expect(await caches(other)).not.toContain(old);
    await close();
  });
});
