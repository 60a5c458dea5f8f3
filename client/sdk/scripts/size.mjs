// Prints what the built SDK weighs, Dexie not counted: as it is and gzipped.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const built = readFileSync(new URL("../dist/small/index.js", import.meta.url));
const gzipped = gzipSync(built, { level: 9 }).length;
console.log(`@syncline/sdk without Dexie: ${built.length} bytes, ${gzipped} gzipped`);
