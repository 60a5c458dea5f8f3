/** Chromium, a hub that serves the built app, and a network for each device that can be cut. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { build } from "vite";
import { Hub } from "../../../sdk/test/hub";
import { Proxy } from "../../../sdk/test/proxy";

const ROOT = new URL("../../", import.meta.url).pathname;
const SHOTS = join(ROOT, "screenshots");
const PROGRAM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** The hub's name for who reaches it without TLS, as another device of a network does. */
export const PLAIN = "hub.test";

/** Without Chromium there are no tests in it; where one is named there must be. */
export const hasChromium = existsSync(PROGRAM) || process.env["CHROMIUM"] !== undefined;

export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

export const AT_BOTH = [
  ["390", PHONE],
  ["1280", DESKTOP],
] as const;

/** At both widths, light and dark. */
export const AT_ALL = AT_BOTH.flatMap(([width, as]) =>
  (["light", "dark"] as const).map((scheme) => [width, scheme, as] as const),
);

export const LAUNCH = {
  executablePath: PROGRAM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    `--host-resolver-rules=MAP ${PLAIN} 127.0.0.1`,
  ],
};

/** A page in a browser of its own, and its network. */
export interface Device {
  page: Page;
  network: Proxy;
  url: string;
  close(): Promise<void>;
}

export class World {
  private constructor(
    readonly hub: Hub,
    readonly browser: Browser,
    readonly folder: string,
  ) {}

  static async start(): Promise<World> {
    const folder = await built();
    const hub = await Hub.start({ HUB__WEB__DIR: folder });
    const browser = await chromium.launch(LAUNCH);
    mkdirSync(SHOTS, { recursive: true });
    return new World(hub, browser, folder);
  }

  async device(as: BrowserContextOptions = DESKTOP): Promise<Device> {
    const network = await Proxy.to(this.hub.port);
    const context = await this.browser.newContext({
      locale: "en-GB",
      reducedMotion: "reduce",
      ...as,
    });
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    const close = async () => {
      await context.close();
      await network.stop();
    };
    return { page, network, url: network.url, close };
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.hub.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Builds the app into a new folder. Another `mark` in the names of its parts makes another build. */
export async function built(mark = ""): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "syncline-"));
  const name = `assets/${mark}[name]-[hash].js`;
  const output = { entryFileNames: name, chunkFileNames: name };
  await inProduction(() =>
    build({
      root: ROOT,
      configFile: join(ROOT, "vite.config.ts"),
      logLevel: "error",
      build: { outDir: folder, emptyOutDir: true, rolldownOptions: { output } },
    }),
  );
  return folder;
}

/** Vitest says that this is a test, and what is built then is another app than users get. */
async function inProduction(work: () => Promise<unknown>): Promise<void> {
  const before = process.env["NODE_ENV"];
  process.env["NODE_ENV"] = "production";
  try {
    await work();
  } finally {
    process.env["NODE_ENV"] = before;
  }
}

/** A picture of what was asserted. */
export const shot = (page: Page, name: string) =>
  page.screenshot({ path: join(SHOTS, `${name}.png`), animations: "disabled" });
