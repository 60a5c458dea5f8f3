import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/browser/figures.ts"], setupFiles: ["fake-indexeddb/auto"] },
});
