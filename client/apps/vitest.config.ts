import { defineConfig } from "vitest/config";

export default defineConfig({
  // The SDK as it is here, not as it was last built.
  ssr: { resolve: { conditions: ["@syncline/source", "module", "node", "import"] } },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["fake-indexeddb/auto"],
    server: { deps: { inline: [/@syncline/] } },
    // A test waits for events; this only ends one that would wait for ever.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
