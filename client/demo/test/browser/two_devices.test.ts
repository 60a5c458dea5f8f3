/** The two-devices page; each state with a picture. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { isSound } from "./checks";
import { AT_ALL, hasChromium, shot, World } from "./world";

const device = (page: Page, name: string) => page.getByRole("region", { name, exact: true });
const both = (page: Page) => [device(page, "Phone"), device(page, "Laptop")] as const;
type One = ReturnType<typeof device>;
const syncs = (one: One, words: string | RegExp) =>
  one.locator(".sync-status", { hasText: words }).waitFor();
const network = (one: One) => one.getByRole("switch", { name: "Network" });

describe.skipIf(!hasChromium)("the two-devices page in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world?.stop());

  test.each(AT_ALL)("shows how edits are merged, at %s px, %s", async (width, colorScheme, as) => {
    const { page, url, close } = await world.device({ ...as, colorScheme });
    await page.goto(`${url}/two-devices.html`);
    const [phone, laptop] = both(page);
    for (const one of [phone, laptop]) {
      await syncs(one, "Synced");
      await one.getByLabel("Done: Buy milk").waitFor();
      await network(one).click();
      await syncs(one, "Offline");
    }
    await phone.getByLabel("Done: Buy milk").check();
    await laptop.getByLabel("Title of Buy milk").fill("Buy oat milk");
    await laptop.getByLabel("Title of Buy milk").press("Enter");
    await laptop.getByLabel("Done: Buy oat milk").waitFor();
    for (const one of [phone, laptop]) await syncs(one, /Offline, \d changes? to send/);
    await isSound(page);
    await shot(page, `two-devices-apart-${width}-${colorScheme}`);
    for (const one of [phone, laptop]) await network(one).click();
    for (const one of [phone, laptop]) {
      await one.getByLabel("Done: Buy oat milk").and(page.locator(":checked")).waitFor();
      await syncs(one, "Synced");
    }
    await isSound(page);
    await shot(page, `two-devices-merged-${width}-${colorScheme}`);
    for (const [one, name] of [
      [phone, "What the phone holds"],
      [laptop, "What the laptop holds"],
    ] as const) {
      await one.getByText("What it holds").click();
      await one.getByRole("region", { name, exact: true }).waitFor();
    }
    await isSound(page);
    await close();
  });

  test("a duplicate of the tab shows the same two devices, and works beside it", async () => {
    const { page, url, close } = await world.device();
    await page.goto(`${url}/two-devices.html`);
    for (const one of both(page)) await syncs(one, "Synced");
    // What a browser's "duplicate tab" does, too: the new one begins with a copy of `sessionStorage`.
    const [copy] = await Promise.all([
      page.waitForEvent("popup"),
      page.evaluate(() => void open(location.href)),
    ]);
    for (const one of both(copy)) await syncs(one, "Synced");
    // What keeps either's databases is held by both.
    const modes = await page.evaluate(async () => {
      const { held = [] } = await navigator.locks.query();
      return held
        .filter(({ name }) => name?.startsWith("syncline-two-devices-open pair-"))
        .map(({ mode }) => mode);
    });
    expect(modes).toEqual(["shared", "shared"]);
    for (const [at, there] of [
      [page, copy],
      [copy, page],
    ] as const) {
      const [phone, laptop] = both(at);
      await network(phone).click();
      for (const one of [phone, both(there)[0]]) {
        await one.locator("[role=switch][aria-checked=false]").waitFor();
        await syncs(one, "Offline");
      }
      const title = at === page ? "In the tab" : "In its duplicate";
      await phone.getByLabel("New task on the phone").fill(title);
      await phone.getByRole("button", { name: "Add" }).click();
      for (const one of [phone, both(there)[0]]) {
        await one.getByLabel(`Done: ${title}`).waitFor();
        await syncs(one, "Offline, 1 change to send");
      }
      expect(await laptop.getByLabel(`Done: ${title}`).count()).toBe(0);
      await network(both(there)[0]).click();
      for (const one of [...both(at), ...both(there)]) {
        await one.getByLabel(`Done: ${title}`).waitFor();
        await syncs(one, "Synced");
      }
    }
    await close();
  });
});
