import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const common = {
  // Dexie looks for a database engine when it is loaded.
  setupFiles: ["fake-indexeddb/auto"],
  // A test waits for events; this only ends one that would wait for ever.
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

const bindings = "test/bindings/**";

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: "sdk", include: ["test/**/*.test.ts"], exclude: [bindings] } },
      {
        plugins: [svelte()],
        // Svelte as it is in a browser.
        resolve: { conditions: ["browser"] },
        test: { ...common, name: "bindings", include: [`${bindings}/*.test.{ts,tsx}`] },
      },
    ],
  },
});
