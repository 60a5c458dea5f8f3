import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    sourcemap: true,
    lib: {
      entry: {
        index: "src/index.ts",
        "react/index": "src/react/index.ts",
        "notifications/index": "src/notifications/index.ts",
        "notifications/worker": "src/notifications/worker.ts",
      },
      formats: ["es"],
    },
    rolldownOptions: { external: ["dexie", "react"] },
  },
});
