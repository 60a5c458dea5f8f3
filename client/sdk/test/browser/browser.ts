/** Chromium, a server of the page, and a hub that lets it connect. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";
import { Hub } from "../hub";

const PROGRAM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

const LAUNCH = {
  executablePath: PROGRAM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
};

/** Without Chromium there are no tests in it; where one is named there must be. */
export const hasChromium = existsSync(PROGRAM) || process.env["CHROMIUM"] !== undefined;

export class World {
  /** What gives the tokens; a test may give others. */
  give: (account: string, refused: boolean) => Promise<string | null> = (account) =>
    this.hub.token(account);

  private constructor(
    readonly hub: Hub,
    readonly browser: Browser,
    readonly server: PreviewServer,
    readonly url: string,
    readonly folder: string,
  ) {}

  static async start(settings: Record<string, string> = {}): Promise<World> {
    const root = new URL("./page", import.meta.url).pathname;
    const outDir = mkdtempSync(join(tmpdir(), "syncline-"));
    const common = { root, configFile: false, logLevel: "error" } as const;
    await build({ ...common, build: { outDir, emptyOutDir: true, target: "es2022" } });
    const server = await preview({
      ...common,
      build: { outDir },
      preview: { port: 0, host: "127.0.0.1" },
    });
    const url = `http://127.0.0.1:${(server.httpServer.address() as AddressInfo).port}`;
    const hub = await Hub.start({ HUB__AUTH__ORIGINS: url, ...settings });
    const browser = await chromium.launch(LAUNCH);
    return new World(hub, browser, server, url, outDir);
  }

  /** A device: tabs opened in it share what it stores. */
  async device(): Promise<BrowserContext> {
    return this.#give(await this.browser.newContext());
  }

  /** A device that stores on a disk, in `folder`, as users' do, and as they do counts what is stored. */
  async deviceIn(folder: string): Promise<BrowserContext> {
    return this.#give(await chromium.launchPersistentContext(folder, LAUNCH));
  }

  async #give(context: BrowserContext): Promise<BrowserContext> {
    await context.exposeFunction("token", (account: string, refused: boolean) =>
      this.give(account, refused),
    );
    return context;
  }

  /** A tab with the store open, of an account or a guest. */
  async tab(device: BrowserContext, account: string | null): Promise<Page> {
    const page = await device.newPage();
    await this.visit(page, account);
    return page;
  }

  /** Loads the page, or loads it anew. */
  async visit(page: Page, account: string | null): Promise<void> {
    await page.goto(this.url);
    await page.waitForFunction(() => window.app !== undefined);
    const open = ([url, account]: [string, string | null]) => window.app.open(url, account).ready();
    await page.evaluate(open, [this.hub.url, account] as [string, string | null]);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
    await this.hub.stop();
  }
}

export const caughtUp = (page: Page) => page.evaluate(() => window.app.store.caughtUp());

export const shows = (page: Page, id: string, title: string) =>
  page.evaluate(([id, title]) => window.app.shows(id!, title!), [id, title]);

/** Writes a title, inserting the record if it is not there; resolves when it is durable. */
export const writes = (page: Page, id: string, title: string) =>
  page.evaluate(
    async ([id, title]) => {
      const { tasks } = window.app;
      const isThere = await tasks.get(id!);
      await (isThere ? tasks.update(id!, { title }) : tasks.insert({ id, title: title! }));
    },
    [id, title],
  );

/** Ends a tab's process, as a browser does that is short of memory. */
export async function kill(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent("crash");
  // It is never answered.
  void cdp.send("Page.crash").catch(() => {});
  await crashed;
}

/**
 * Stops a tab where it stands, and returns what lets it go on. Not inside a transaction: browsers
 * freeze no tab that keeps others from their database, and nobody could take it away from one.
 */
export async function freeze(page: Page): Promise<() => Promise<void>> {
  const freezer = await page.context().newCDPSession(page);
  await freezer.send("Debugger.enable");
  const stands = new Promise<void>((resolve) => freezer.once("Debugger.paused", () => resolve()));
  const stopped = page.evaluate(() => {
    window.app.atRest(() => {
      debugger;
    });
  });
  await stands;
  return async () => {
    await freezer.send("Debugger.resume");
    await freezer.detach();
    await stopped;
  };
}
