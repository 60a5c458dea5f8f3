// Prints what the built Todo app loads before it can be used, gzipped. `npm run build` comes first.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const root = new URL("..", import.meta.url).pathname;
await build({ root, configFile: `${root}vite.config.ts`, logLevel: "error" });
const dist = new URL("../dist/", import.meta.url);
const page = readFileSync(new URL("index.html", dist), "utf8");
const files = [...page.matchAll(/(?:src|href)="\.?\/(assets\/[^"]+)"/g)].map((found) => found[1]);
const weigh = (name) => gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length;
const sum = files.map(weigh).reduce((a, b) => a + b, 0);
console.log(`@syncline/demo: ${sum} bytes at first in ${files.length} files, gzipped`);
