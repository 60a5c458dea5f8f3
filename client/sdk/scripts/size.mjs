// Prints what the SDK weighs when an app's build makes it small, Dexie not counted: what is loaded at
// first, with which everything works on the device, and what is loaded by who needs it.
import { gzipSync } from "node:zlib";
import { build } from "vite";

const GOAL = 12_000;
const SRC = new URL("../src/", import.meta.url).pathname;

/** What is loaded later, by the file that is asked for. */
const LATER = {
  "sync/engine.ts": "syncing, where there is an account",
  "sync/http.ts": "polling, where there is no WebSocket",
  "guest.ts": "a guest's sign-in",
  "follow.ts": "what becomes of a write that moved",
  "storage/salvage.ts": "a database that could not be read",
  "place.ts": "going on where another tab has gone",
  "inspect.ts": "a look inside, for a debug panel",
};

/** What an entry is made of, by the files' names. */
async function built(entry) {
  const made = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      lib: { entry, formats: ["es"] },
      rolldownOptions: { external: ["dexie"], output: { minify: true } },
    },
  });
  return new Map([made].flat()[0].output.map((chunk) => [chunk.fileName, chunk]));
}

const chunks = await built({ index: `${SRC}index.ts` });

/** The chunk and what it cannot do without. */
function withImports(name, found = new Set()) {
  const chunk = chunks.get(name);
  if (!chunk || found.has(chunk)) return found;
  found.add(chunk);
  for (const other of chunk.imports) withImports(other, found);
  return found;
}

/** Bytes of all of them together, gzipped, as an app's build puts into one file what is loaded at once. */
const weigh = (some) => gzipSync([...some].map(({ code }) => code).join("\n"), { level: 9 }).length;

const entry = [...chunks.values()].find((chunk) => chunk.isEntry);
const first = withImports(entry.fileName);
console.log(`@syncline/sdk without Dexie, gzipped: ${weigh(first)} at first (goal ${GOAL})`);
const counted = new Set(first);
let sum = weigh(first);
for (const [file, what] of Object.entries(LATER)) {
  const chunk = [...chunks.values()].find(({ facadeModuleId }) => facadeModuleId === SRC + file);
  const more = [...withImports(chunk.fileName)].filter((one) => !counted.has(one));
  for (const one of more) counted.add(one);
  sum += weigh(more);
  console.log(`  ${what}: ${weigh(more)} more`);
}
console.log(`  all of it: ${sum}`);

// Of its own, what stands in the first part left out; the service worker's has nothing of that.
const both = await built({
  index: `${SRC}index.ts`,
  notifications: `${SRC}notifications/index.ts`,
});
const named = (name) => [...both.values()].find((chunk) => chunk.isEntry && chunk.name === name);
const page = named("notifications");
const shared = new Set(named("index").imports);
const own = [
  page,
  ...page.imports.filter((name) => !shared.has(name)).map((name) => both.get(name)),
];
console.log(`@syncline/sdk/notifications: ${weigh(own)} more`);
const [worker] = (await built({ worker: `${SRC}notifications/worker.ts` })).values();
console.log(`@syncline/sdk/push-worker: ${weigh([worker])}`);
