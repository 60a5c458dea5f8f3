import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Dexie looks for a database engine when it is loaded.
    setupFiles: ["fake-indexeddb/auto"],
    // A test waits for events; this only ends one that would wait for ever.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
