import { createRequire } from "node:module";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const common = {
  server: { deps: { inline: [/@syncline/] } },
  // A test waits for events; this only ends one that would wait for ever.
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

/** The SDK as it is here, not as it was last built. */
const SOURCE = "@syncline/source";

const page = "test/page/**";

export default defineConfig({
  test: {
    projects: [
      {
        ssr: { resolve: { conditions: [SOURCE, "module", "node", "import"] } },
        test: { ...common, name: "demo", include: ["test/**/*.test.ts"], exclude: [page] },
      },
      {
        plugins: [svelte()],
        // Svelte as it is in a browser.
        resolve: {
          conditions: [SOURCE, "browser"],
          // But for what takes the place of a browser's.
          alias: { ws: createRequire(import.meta.url).resolve("ws") },
        },
        test: {
          ...common,
          name: "page",
          include: [`${page}/*.test.ts`],
          environment: "happy-dom",
          // Dexie looks for a database engine when it is loaded.
          setupFiles: ["fake-indexeddb/auto", "test/page/setup.ts"],
          restoreMocks: true,
          unstubGlobals: true,
        },
      },
    ],
  },
});
