// Whether `make run` would serve the app: a hub is started with the directory that the Makefile names for
// it, and asked for the app's pages and its service worker. The app must be built, and so must the hub.
//
//   node tests/served_app.mjs

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = new URL("..", import.meta.url).pathname;
const PROGRAM = process.env.HUB ?? join(ROOT, "target/debug/hub-under-test");

/** What is asked for, and what it must be. */
const EXPECTED = {
  "/": "text/html",
  "/two-devices.html": "text/html",
  "/service-worker.js": "text/javascript",
};

// What this shell has set for a hub of its own is not what `make run` does by itself.
const { HUB__WEB__DIR: _, ...env } = process.env;
const dir = execFileSync("make", ["-s", "print-web-dir"], { cwd: ROOT, env, encoding: "utf8" }).trim();
const data = mkdtempSync(join(tmpdir(), "syncline-"));
const hub = spawn(PROGRAM, ["serve", "--dev"], {
  // As `make run` does: the directory is named from there.
  cwd: ROOT,
  env: {
    ...env,
    HUB__WEB__DIR: dir,
    HUB__LISTEN: "127.0.0.1:0",
    HUB__ADMIN_LISTEN: "127.0.0.1:0",
    HUB__DATA_DIR: data,
    HUB__STORE__URL: `sqlite:${join(data, "hub.db")}`,
  },
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = once(hub, "exit");
// Ten times what all of it may take.
const hung = setTimeout(() => hub.kill("SIGKILL"), 60_000);

/** Where it listens. */
async function listening() {
  for await (const line of createInterface({ input: hub.stdout })) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (url) return url;
  }
  throw new Error(`the hub ended, with the app in ${dir}`);
}

try {
  const url = await listening();
  hub.stdout.resume();
  for (const [path, type] of Object.entries(EXPECTED)) {
    const answer = await fetch(url + path, { signal: AbortSignal.timeout(20_000) });
    const given = answer.headers.get("content-type") ?? "";
    await answer.text();
    if (answer.status !== 200 || given.split(";")[0] !== type)
      throw new Error(`${path} of ${dir}: ${answer.status} ${given}, not 200 ${type}`);
    console.log(`served from ${dir}: ${path} ${given}`);
  }
} finally {
  hub.kill();
  await ended;
  clearTimeout(hung);
  rmSync(data, { recursive: true, force: true });
}
