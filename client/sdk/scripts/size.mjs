// Prints what the SDK weighs when an app's build makes it small, Dexie not counted: all of it, and
// what each part adds that not every app uses. A part's weight is what is saved by emptying its
// files; all parts together save a little more or less, since they compress each other.
import { gzipSync } from "node:zlib";
import { build } from "vite";

const GOAL = 12_000;
const SRC = new URL("../src/", import.meta.url).pathname;

/** Files by what they are for, with what is left of them: as much as the others name. */
const PARTS = {
  "presence and broadcasts": {
    "ephemeral.ts": "export class Ephemeral {}",
    "sync/ephemeral.ts": "export class EphemeralState {}; export class Pace { stop() {} }",
  },
  "refused writes to be looked at": { "rejected.ts": "export class RejectedWrites {}" },
  "guests' sign-in": { "guest.ts": "export const moveIn = () => {};" },
  "polling where there is no WebSocket": { "sync/http.ts": "export class HttpLink {}" },
};

/** Bytes of the bundle with some files emptied, as they are and gzipped. */
async function weigh(emptied) {
  const empty = {
    name: "empty",
    enforce: "pre",
    load: (id) => (id.startsWith(SRC) ? emptied[id.slice(SRC.length)] : undefined),
  };
  const built = await build({
    configFile: false,
    logLevel: "error",
    plugins: [empty],
    build: {
      write: false,
      target: "es2022",
      lib: { entry: `${SRC}index.ts`, formats: ["es"] },
      rolldownOptions: { external: ["dexie"], output: { minify: true } },
    },
  });
  const { code } = [built].flat()[0].output[0];
  return { bytes: Buffer.byteLength(code), gzipped: gzipSync(code, { level: 9 }).length };
}

const all = await weigh({});
const core = await weigh(Object.assign({}, ...Object.values(PARTS)));
console.log(`@syncline/sdk without Dexie: ${all.bytes} bytes, ${all.gzipped} gzipped`);
console.log(`  without the parts below: ${core.gzipped} gzipped (goal ${GOAL})`);
for (const [name, files] of Object.entries(PARTS)) {
  const { gzipped } = await weigh(files);
  console.log(`  ${name}: ${all.gzipped - gzipped} gzipped`);
}
