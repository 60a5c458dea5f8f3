/** Makes the service worker: it keeps every file of the build, so that the app starts without a network. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { build, defaultClientConditions, type Plugin, type Rolldown } from "vite";

const SOURCE = new URL("src/service-worker.js", import.meta.url);
const PUBLIC = new URL("public/", import.meta.url);

export function offline(): Plugin {
  return {
    name: "syncline-offline",
    apply: "build",
    generateBundle: {
      // After the pages are in it.
      order: "post",
      async handler(_, bundle) {
        const files = [...Object.keys(bundle).filter((name) => !name.endsWith(".map"))];
        files.push(...readdirSync(PUBLIC));
        const version = createHash("sha256");
        for (const name of files.sort()) {
          const made = bundle[name];
          version.update(name);
          version.update(
            !made
              ? readFileSync(new URL(name, PUBLIC))
              : made.type === "chunk"
                ? made.code
                : made.source,
          );
        }
        const head = `const VERSION = "${version.digest("hex").slice(0, 16)}";\nconst FILES = ${JSON.stringify(files)};\n`;
        const source = head + (await workerSource());
        this.emitFile({ type: "asset", fileName: "service-worker.js", source });
      },
    },
  };
}

/** The worker with what it imports, as one script: not every browser takes a module for one. */
export async function workerSource(): Promise<string> {
  const entry = SOURCE.pathname;
  const made = (await build({
    configFile: false,
    logLevel: "error",
    publicDir: false,
    // The SDK as it is here, not as it was last built.
    resolve: { conditions: ["@syncline/source", ...defaultClientConditions] },
    build: {
      write: false,
      target: "es2022",
      lib: { entry, formats: ["iife"], name: "worker" },
    },
  })) as Rolldown.RolldownOutput[];
  return made[0]!.output[0].code;
}
