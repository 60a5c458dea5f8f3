/** Every sheet and banner at both widths, light and dark: nothing sticks out, targets are large, axe is content. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fits, isSound } from "./checks";
import { add, button, field, holds, rows, says, signIn, syncs } from "./steps";
import { AT_ALL, hasChromium, PHONE, shot, World, type Device } from "./world";

/** CSS pixels in which a day and its button have room. */
const DAY_PX = 150;

describe.skipIf(!hasChromium)("what opens over the page, and above it, in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world?.stop());

  /** One that is signed in, under a name of its own. */
  async function signedIn(as: Parameters<World["device"]>[0], user: string): Promise<Device> {
    const device = await world.device(as);
    await device.page.goto(device.url);
    await signIn(device.page, user);
    await syncs(device.page, "Synced");
    return device;
  }

  async function closes(page: Page): Promise<void> {
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }

  test.each(AT_ALL)("every sheet is sound, at %s px, %s", async (width, colorScheme, as) => {
    const { page, url, close } = await world.device({ ...as, colorScheme });
    await page.goto(url);
    const sheets: [string, string, () => Promise<unknown>][] = [
      ["Edit task", "editor", () => page.getByRole("button", { name: /^Open a task/ }).click()],
      ["Keys", "keys", () => page.keyboard.press("?")],
      ["Sync details", "details", () => button(page, "Sync details").click()],
      ["Sign in", "sign-in", () => button(page, "Sign in").click()],
    ];
    if (width === "390") sheets.push(["Lists", "lists", () => button(page, "Lists").click()]);
    for (const [title, name, open] of sheets) {
      await open();
      await page.getByRole("dialog").getByRole("heading", { name: title }).waitFor();
      await isSound(page);
      await shot(page, `${name}-${width}-${colorScheme}`);
      await closes(page);
    }
    await close();
  });

  test.each(AT_ALL)(
    "an account is sound, also offline and while it asks, at %s px, %s",
    async (width, colorScheme, as) => {
      const user = `account-${width}-${colorScheme}`;
      const { page, network, close } = await signedIn({ ...as, colorScheme }, user);
      const sheet = page.getByRole("dialog", { name: user });
      await button(page, `Account ${user}`).click();
      await sheet.getByText("Signing out removes your tasks from this device.").waitFor();
      await isSound(page);
      await shot(page, `account-${width}-${colorScheme}`);
      await closes(page);

      network.goDown();
      await syncs(page, "Offline");
      await add(page, "Written in a tunnel");
      await syncs(page, "Offline, 1 change to send");
      await rows(page).filter({ hasText: "Written in a tunnel" }).waitFor();
      await isSound(page);
      await shot(page, `offline-${width}-${colorScheme}`);

      await button(page, `Account ${user}`).click();
      await sheet.getByRole("button", { name: "Sign out" }).click();
      await sheet.getByRole("alert").getByText("Some of what you wrote here has not").waitFor();
      await button(page, "Throw it away").waitFor();
      await button(page, "Keep it, sign out").and(page.locator(":focus")).waitFor();
      await isSound(page);
      await shot(page, `account-asks-${width}-${colorScheme}`);
      await close();
    },
  );

  test.each(AT_ALL)(
    "how somebody is told is sound, whatever the hub knows of it, at %s px, %s",
    async (width, colorScheme, as) => {
      // What a worker lets through is nothing that a test can answer.
      const given = { ...as, colorScheme, serviceWorkers: "block" } as const;
      const user = `told-${width}-${colorScheme}`;
      const { page, close } = await signedIn(given, user);
      const told = page.getByRole("dialog", { name: "Notifications" });
      const opens = async () => {
        await button(page, `Account ${user}`).click();
        await button(page, "Notifications").click();
        await told.getByText("Nothing yet.").waitFor();
      };
      const at = "2026-11-24T10:00:00.000Z";
      const device = { id: "d1", kind: "push", name: "A phone", seenAt: at };
      const answers: [string, object][] = [
        ["**/api/v1/devices?*", { devices: [device], publicKey: null, kinds: ["push"] }],
        ["**/preferences?*", { timezone: "Europe/Berlin", quiet: { from: "22:00", to: "07:00" } }],
      ];
      for (const [url, json] of answers) await page.route(url, (route) => route.fulfill({ json }));
      await opens();
      await button(page, "Forget A phone").waitFor();
      await button(page, "No quiet hours").waitFor();
      await isSound(page);
      await shot(page, `notifications-${width}-${colorScheme}`);
      await closes(page);
      // The focus goes back to where it was before.
      await button(page, `Account ${user}`).and(page.locator(":focus")).waitFor();

      for (const [url] of answers) {
        await page.unroute(url);
        await page.route(url, (route) =>
          route.fulfill({ status: 404, json: { code: "app_unknown", message: "none" } }),
        );
      }
      await opens();
      await told.getByRole("alert").getByText("This hub tells nobody").waitFor();
      await isSound(page);
      await close();
    },
  );

  test.each(AT_ALL)("refused changes are sound, at %s px, %s", async (width, colorScheme, as) => {
    const { page, close } = await signedIn(
      { ...as, colorScheme },
      `refused-${width}-${colorScheme}`,
    );
    await page.getByRole("button", { name: /^Tick me off/ }).click();
    // More than a record may have.
    await field(page, "Notes").fill("long ".repeat(60_000));
    await closes(page);
    await page.getByRole("alert").getByText("1 change was refused.").waitFor();
    await isSound(page);
    await button(page, "Look at it").click();
    const sheet = page.getByRole("dialog", { name: "Refused changes" });
    await sheet.getByText(/^Set notes of “Tick me off/).waitFor();
    await isSound(page);
    await shot(page, `rejected-${width}-${colorScheme}`);
    await close();
  });

  test.each(AT_ALL)(
    "a task that another tab deletes, and a label, are sound, at %s px, %s",
    async (width, colorScheme, as) => {
      const { page, url, close } = await world.device({ ...as, colorScheme });
      await page.goto(url);
      await add(page, "Buy milk #shop");
      const row = page.locator("[data-task]", { hasText: "Buy milk" });
      await row.getByText("#shop", { exact: true }).waitFor();
      const other = await page.context().newPage();
      await other.goto(`${url}/#/label/label-shop`);
      await other.getByRole("heading", { name: "#shop" }).waitFor();
      await button(other, "Rename").click();
      await other.getByRole("dialog", { name: "Rename label" }).waitFor();
      await holds(other, "Name", "shop");
      await isSound(other);
      await shot(other, `rename-label-${width}-${colorScheme}`);
      await field(other, "Name").fill("market");
      await other.keyboard.press("Enter");
      await other.getByRole("heading", { name: "#market" }).waitFor();
      await says(other, "Renamed #shop to #market");
      await row.getByText("#market", { exact: true }).waitFor();

      await row.locator(".title").click();
      await other.getByRole("button", { name: /^Buy milk/ }).click();
      await other.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await page
        .getByRole("alert")
        .getByText("This task was deleted on another device or in another tab.")
        .waitFor();
      await button(page, "Let it go").waitFor();
      await isSound(page);
      await shot(page, `deleted-elsewhere-${width}-${colorScheme}`);
      await button(page, "Keep the task").click();
      await page.getByRole("checkbox", { name: "#market", checked: true }).waitFor();
      await close();
    },
  );

  test.each(AT_ALL)(
    "data that the browser deletes is told, at %s px, %s",
    async (width, colorScheme, as) => {
      const { page, url, close } = await world.device({ ...as, colorScheme });
      await page.goto(url);
      await add(page, "Buy milk");
      await rows(page).filter({ hasText: "Buy milk" }).waitFor();
      const cdp = await page.context().newCDPSession(page);
      await cdp.send("Storage.clearDataForOrigin", {
        origin: new URL(url).origin,
        storageTypes: "indexeddb",
      });
      const alert = page.getByRole("alert").filter({ hasText: "This browser deleted what Todo" });
      await alert.waitFor();
      await syncs(page, "Data was deleted");
      await rows(page).filter({ hasText: "Buy milk" }).waitFor({ state: "detached" });
      await isSound(page);
      await shot(page, `lost-${width}-${colorScheme}`);
      await button(page, "Load again").click();
      await alert.waitFor({ state: "detached" });
      await syncs(page, "Saved on this device");
      await rows(page).first().waitFor();
      await close();
    },
  );

  test.each(AT_ALL)(
    "what is found, a new build that is offered, and what could not be stored are sound, at %s px, %s",
    async (width, colorScheme, as) => {
      const { page, url, close } = await world.device({ ...as, colorScheme });
      await page.goto(url);
      await rows(page).first().waitFor();
      await field(page, "Search tasks").fill("a");
      await page.getByRole("heading", { name: "Found: a" }).waitFor();
      await button(page, "Clear search").waitFor();
      await isSound(page);
      await shot(page, `found-${width}-${colorScheme}`);
      await field(page, "Search tasks").fill("no such task");
      await page.getByText("Nothing found.").waitFor();
      await isSound(page);
      await button(page, "Clear search").click();

      await page.evaluate(async () => {
        const { serviceWorker } = navigator;
        await serviceWorker.ready;
        // As when another tab takes a newer build; the first one is what the page began with.
        for (let n = 1; n <= 2; n++) serviceWorker.dispatchEvent(new Event("controllerchange"));
      });
      await page.getByRole("status").filter({ hasText: "There is a new version" }).waitFor();
      await isSound(page);
      await shot(page, `update-${width}-${colorScheme}`);

      await page.evaluate(() => {
        const texts = { notes: "Two litres\nat noon", title: "W".repeat(300) };
        for (const [field, text] of Object.entries(texts)) {
          const draft = { account: null, task: "gone", field, before: [], text };
          localStorage.setItem(`syncline-todo-draft ${field} gone`, JSON.stringify(draft));
        }
      });
      await page.reload();
      for (const what of ["notes", "title"])
        await button(page, `Discard: ${what} of a task that was deleted`).waitFor();
      await isSound(page);
      await shot(page, `unstored-${width}-${colorScheme}`);
      await close();
    },
  );

  test("a tap on a task brings up no keyboard, one on Rename does", async () => {
    const { page, url, close } = await world.device(PHONE);
    await page.goto(url);
    await page.getByRole("button", { name: /^Water the plants/ }).tap();
    const editor = page.getByRole("dialog", { name: "Edit task" });
    await editor.getByRole("button", { name: "Close" }).and(page.locator(":focus")).waitFor();
    await closes(page);
    await button(page, "Lists").tap();
    await page.getByRole("dialog").getByRole("button", { name: /^Home/ }).tap();
    await button(page, "Rename").tap();
    await field(page, "Name").and(page.locator(":focus")).waitFor();
    await close();
  });

  test("the smallest phone shows days whole, and nothing sticks out", async () => {
    const { page, url, close } = await world.device({
      ...PHONE,
      viewport: { width: 320, height: 568 },
    });
    await page.goto(url);
    await page.getByRole("button", { name: /^Water the plants/ }).tap();
    const editor = page.getByRole("dialog", { name: "Edit task" });
    await editor.waitFor();
    await isSound(page);
    const day = await field(page, "Due").boundingBox();
    expect(day!.width).toBeGreaterThanOrEqual(DAY_PX);
    await closes(page);
    await isSound(page);
    await close();
  });

  test("a phone that lies on its side shows tasks, and a sheet can be closed", async () => {
    const [width, height] = [PHONE.viewport.height, PHONE.viewport.width];
    const { page, url, close } = await world.device({ ...PHONE, viewport: { width, height } });
    await page.goto(url);
    const last = page.getByRole("button", { name: /^Go offline/ });
    await last.scrollIntoViewIfNeeded();
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    const header = await page.getByRole("banner").boundingBox();
    expect(header!.y + header!.height).toBeLessThanOrEqual(0);
    await isSound(page);
    await last.tap();
    const editor = page.getByRole("dialog", { name: "Edit task" });
    await editor.waitFor();
    await isSound(page);
    await editor.getByRole("button", { name: "Delete" }).scrollIntoViewIfNeeded();
    await closes(page);
    await close();
  });

  test("what sticks out of a sheet is found", async () => {
    const { page, url, close } = await world.device(PHONE);
    await page.goto(url);
    await button(page, "Sign in").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").waitFor();
    await fits(page);
    await dialog.evaluate((sheet) => {
      const wide = document.createElement("div");
      wide.style.inlineSize = "200vw";
      sheet.append(wide, "wide");
    });
    await expect(fits(page)).rejects.toThrow("dialog");
    await close();
  });

  test("long words stay inside the page", async () => {
    const { page, url, close } = await world.device(PHONE);
    await page.goto(url);
    const [long, label] = ["W".repeat(300), "l".repeat(80)];
    await add(page, `${long} #${"l".repeat(200)}`);
    await page.locator("main").getByText(`#${label}`, { exact: true }).waitFor();
    await isSound(page);
    await button(page, "Lists").click();
    const lists = page.getByRole("dialog");
    await lists.getByLabel("New project").fill("P".repeat(100));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "P".repeat(100) }).waitFor();
    await add(page, "Inside");
    await isSound(page);
    await button(page, "Lists").click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /^All tasks/ })
      .click();
    await page.getByRole("button", { name: /^WWW/ }).click();
    const editor = page.getByRole("dialog", { name: "Edit task" });
    await editor.waitFor();
    const boxes = editor.getByRole("checkbox");
    const sizes = (await boxes.all()).map(async (box) => (await box.boundingBox())!.width);
    // A long name presses no box.
    const [first, ...others] = await Promise.all(sizes);
    expect(others).toEqual(others.map(() => first));
    await isSound(page);
    await close();
  });
});
