/** The package as it is published: packed, put into an app of its own, and used from there. */
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const HERE = new URL(".", import.meta.url).pathname;
const SDK = join(HERE, "../..");
const MODULES = join(SDK, "../node_modules");

/** What an app has besides the package, as its installer would put it there. */
const OTHERS = ["dexie", "react", "svelte", "@types/react", "csstype"];

/** What a build and a check take is some seconds; this only ends one that would go on for ever. */
const HUNG_MS = 300_000;

/** Runs a program while others may go on. What it said is in the error if it fails. */
const run = promisify(execFile);

let app: string;
let packed: string[];
beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), "syncline-package-"));
  // Builds it first.
  const pack = await run("npm", ["pack", "--json", "--pack-destination", app], { cwd: SDK });
  const [{ filename, files }] = JSON.parse(pack.stdout.slice(pack.stdout.search(/^\[/m))) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = files.map(({ path }) => path);
  const place = join(app, "node_modules/@syncline/sdk");
  mkdirSync(place, { recursive: true });
  mkdirSync(join(app, "node_modules/@types"));
  await run("tar", ["-xzf", join(app, filename), "-C", place, "--strip-components=1"]);
  for (const name of OTHERS) symlinkSync(join(MODULES, name), join(app, "node_modules", name));
  cpSync(join(HERE, "app"), join(app, "src"), { recursive: true });
  writeFileSync(join(app, "package.json"), `{ "type": "module" }`);
  const readme = readFileSync(join(place, "README.md"), "utf8");
  for (const [at, [, code]] of [...readme.matchAll(/^```ts\n(.*?)^```/gms)].entries())
    writeFileSync(join(app, `src/readme-${at}.ts`), code!);
}, HUNG_MS);
afterAll(() => rmSync(app, { recursive: true, force: true }));

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])(
  "has types for modules of %s under %s, for apps with and without a framework",
  async (module, moduleResolution) => {
    const compilerOptions = {
      module,
      moduleResolution,
      target: "es2022",
      lib: ["es2022", "dom"],
      jsx: "react-jsx",
      strict: true,
      noEmit: true,
      types: [],
    };
    const config = join(app, `${moduleResolution}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, include: ["src"] }));
    const tsc = join(MODULES, "typescript/bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "--project", config]).catch(
      (failed: { stdout: string }) => failed,
    );
    expect(stdout).toBe("");
  },
  HUNG_MS,
);

test.each([
  "@syncline/sdk",
  "@syncline/sdk/react",
  "@syncline/sdk/notifications",
  "@syncline/sdk/push-worker",
])("%s loads in Node.js", async (name) => {
  const code = `console.log(Object.keys(await import(${JSON.stringify(name)})).sort().join())`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: app,
  });
  expect(stdout).toMatch(/createLocalStore|useLive|registerPush|onPush/);
});

test("brings its licence and says what it is", () => {
  expect(packed).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
  const read = (path: string) => readFileSync(path, "utf8");
  const own = join(app, "node_modules/@syncline/sdk/LICENSE");
  expect(read(own)).toBe(read(join(SDK, "../../LICENSE")));
});

test("brings what was built and no source but that of components", () => {
  const others = packed.filter((path) => !path.startsWith("dist/"));
  expect(others.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
  const sources = packed.filter((path) => /(?<!\.d)\.ts$/.test(path));
  expect(sources).toEqual([]);
});
