/**
 * The app's very service worker, in Chromium, with pushes as its developer tools deliver them: a browser
 * that runs for tests has no push service. The app is a guest's and needs no hub.
 */
import { rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import type { BrowserContext, CDPSession, Page } from "playwright-core";
import { chromium, type Browser } from "playwright-core";
import { preview, type PreviewServer } from "vite";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { add, rows } from "./steps";
import { built, hasChromium, LAUNCH } from "./world";

const AT_MS = 1_795_514_400_000;
const ID = `${AT_MS}-0123456789abcdef`;
const key = (n: number) => `reminders/r${n}@${AT_MS}`;

const payload = (more: object = {}) => ({
  v: 1,
  id: ID,
  app: "todo",
  kind: "reminder",
  title: "Buy milk",
  body: "Due now",
  language: "en",
  at: new Date(AT_MS).toISOString(),
  late: false,
  items: [{ key: key(1), table: "reminders", id: "r1", task: "seed-1" }],
  more: 0,
  ...more,
});

describe.skipIf(!hasChromium)("pushes in Chromium", () => {
  let folder: string;
  let server: PreviewServer;
  let origin: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let deliver: (data: string) => Promise<unknown>;
  beforeAll(async () => {
    folder = await built();
    server = await preview({
      configFile: false,
      logLevel: "error",
      build: { outDir: folder },
      preview: { port: 0, host: "127.0.0.1" },
    });
    origin = `http://127.0.0.1:${(server.httpServer.address() as AddressInfo).port}`;
    browser = await chromium.launch(LAUNCH);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    context = await browser.newContext();
    context.setDefaultTimeout(30_000);
    await context.grantPermissions(["notifications"], { origin });
    page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    const registered = registrationOf(cdp, origin);
    await cdp.send("ServiceWorker.enable");
    await page.goto(origin);
    await rows(page).first().waitFor();
    await page.evaluate(async () => void (await navigator.serviceWorker.ready));
    const registrationId = await registered;
    deliver = (data) =>
      cdp.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data });
    return () => context.close();
  });

  const push = (more: object = {}) => deliver(JSON.stringify(payload(more)));

  test("a push is shown once, and the same again is shown in its place without a sound", async () => {
    await push();
    await shows(page, [["Buy milk", ID, false]]);
    await push();
    await shows(page, [["Buy milk", ID, true]]);
    // What was shown before it stays.
    await push({ id: `${ID}2`, title: "Water", items: [{ ...payload().items[0], key: key(2) }] });
    await shows(page, [
      ["Buy milk", ID, true],
      ["Water", `${ID}2`, false],
    ]);
  });

  test("what a page has shown the worker shows without a sound, and what it has the page does not", async () => {
    // The page's own claim: a reminder that is due while somebody sees it.
    await add(page, "Call Ada");
    const row = page.getByRole("button", { name: /^Call Ada/ });
    await row.click();
    await page.getByLabel("Remind at", { exact: true }).fill("2026-01-01T09:30");
    await page.getByRole("button", { name: "Remind", exact: true }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("alert").filter({ hasText: "Call Ada" }).waitFor();
    const [claimed] = await keysOf(page);
    await push({ items: [{ ...payload().items[0], key: claimed }] });
    await shows(page, [["Buy milk", ID, true]]);
    // The worker's claim is there for pages.
    expect(await keysOf(page)).toEqual([claimed, `@notifications/${ID}`]);
  });

  test("what cannot be read is shown as something new", async () => {
    await deliver("{");
    await shows(page, [["Todo", "syncline-unreadable", false]]);
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      for (const one of await registration.getNotifications()) one.close();
    });
    await shows(page, []);
    await deliver("");
    await shows(page, [["Todo", "syncline-unreadable", false]]);
  });
});

/** The id of the first registration of an origin. */
function registrationOf(cdp: CDPSession, origin: string): Promise<string> {
  return new Promise((resolve) => {
    cdp.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const own = registrations.find(({ scopeURL }) => scopeURL.startsWith(origin));
      if (own) resolve(own.registrationId);
    });
  });
}

/** Waits until these notifications are shown: title, tag, and whether without a sound. */
async function shows(page: Page, wanted: [string, string, boolean][]): Promise<void> {
  const shown = () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const all = await registration.getNotifications();
      return all.map(({ title, tag, silent }) => [title, tag, silent === true]).sort();
    });
  await expect.poll(shown, { timeout: 30_000, interval: 50 }).toEqual(wanted);
}

/** What this device remembers to have shown, in the order in which it was. */
const keysOf = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<string[]>((resolve, reject) => {
        const opening = indexedDB.open("syncline-notifications");
        opening.onerror = () => reject(opening.error as DOMException);
        opening.onsuccess = () => {
          const db = opening.result;
          const all = db.transaction("shown").objectStore("shown").getAll();
          all.onsuccess = () => {
            db.close();
            resolve((all.result as { key: string }[]).map(({ key }) => key));
          };
        };
      }),
  );
