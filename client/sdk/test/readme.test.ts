/** The README's code compiles, and its tables leave out nothing that the package has. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const HERE = new URL(".", import.meta.url).pathname;
const readme = readFileSync(join(HERE, "../../README.md"), "utf8");
const SDK = join(HERE, "../src/index.ts");

/** The code blocks of a language, in order. */
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    (found) => found[1]!,
  );

/** What the markup reads. */
const SHOWN = "shown.current?.map((task) => task.title.length);\ndone = !done;";

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  jsx: ts.JsxEmit.ReactJSX,
  types: ["svelte"],
  customConditions: ["@syncline/source"],
};

describe("the README", () => {
  // Within the package, so that what it needs is found.
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(HERE, "readme-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("has code that compiles, for TypeScript, Svelte and React", () => {
    const [start, use, token, traced, ...more] = blocks("ts");
    const script = /<script lang="ts">\n(.*?)<\/script>/s.exec(blocks("svelte")[0]!)?.[1];
    const [react] = blocks("tsx");
    expect(more).toEqual([]);
    const files = {
      "store.ts": start!,
      "use.ts": use!,
      "token.ts": `${token!}\nexport { token };`,
      "traced.ts": traced!,
      // The components' types are Svelte's own to make; `svelte-check` sees to theirs.
      "start.svelte.ts": `${script!}\n`.replace(", SyncStatus", "") + SHOWN,
      "react.tsx": react!,
    };
    const names = Object.entries(files).map(([name, text]) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    });
    const program = ts.createProgram(names, OPTIONS);
    const faults = ts
      .getPreEmitDiagnostics(program)
      .map(
        ({ file, messageText }) =>
          `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`,
      );
    expect(faults).toEqual([]);
  }, 60_000);

  test("names every option, method, status and error code", () => {
    const program = ts.createProgram([SDK], OPTIONS);
    const checker = program.getTypeChecker();
    const module = checker.getSymbolAtLocation(program.getSourceFile(SDK)!)!;
    const exported = new Map(
      checker.getExportsOfModule(module).map((symbol) => {
        const meant =
          symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        return [symbol.name, checker.getDeclaredTypeOfSymbol(meant)];
      }),
    );
    const members = (type: ts.Type): string[] =>
      checker
        .getPropertiesOfType(type)
        .filter((one) => !/^[_#]/.test(one.name))
        .map(({ name }) => name);
    const texts = (type: ts.Type): string[] =>
      (type as ts.UnionType).types.map((one) => (one as ts.StringLiteralType).value);
    const wanted: string[] = [];
    for (const name of ["StoreOptions", "CollectionOptions", "Auth", "Query", "Status"])
      wanted.push(...members(exported.get(name)!));
    for (const name of ["LocalStore", "LocalCollection", "RejectedWrites", "Ephemeral", "Rejected"])
      wanted.push(...members(exported.get(name)!));
    for (const name of ["DeviceErrorCode", "SyncStatus", "GuestChoice", "UnsyncedChoice"])
      wanted.push(...texts(exported.get(name)!));
    // What a store asks of its collections is no app's business.
    const inner = ["attach", "check", "checkFree", "options"];
    expect(wanted.length).toBeGreaterThan(80);
    const code = [...readme.matchAll(/`([^`\n]+)`/g)].map((found) => found[1]).join("\n");
    const missing = wanted.filter(
      (name) =>
        !inner.includes(name) && !new RegExp(`(^|[^\\w-])${name}([^\\w-]|$)`, "m").test(code),
    );
    expect(missing).toEqual([]);
  }, 60_000);

  test("knows every code that this device makes", () => {
    const src = join(HERE, "../src");
    const codes = new Set(
      readdirSync(src, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => readFileSync(join(src, name), "utf8"))
        .flatMap((text) =>
          [...text.matchAll(/SynclineError\(\s*"(\w+)"/g)].map((found) => found[1]!),
        ),
    );
    expect(codes.size).toBeGreaterThan(12);
    for (const code of codes) expect(readme).toContain(`\`${code}\``);
  });
});
