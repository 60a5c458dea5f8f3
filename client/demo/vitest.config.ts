import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["@syncline/source", "module", "node", "import"] } },
  test: {
    include: ["test/**/*.test.ts"],
    server: { deps: { inline: [/@syncline/] } },
    // A test waits for events; this only ends one that would wait for ever.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
