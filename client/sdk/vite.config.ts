import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    sourcemap: true,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: () => "index.js" },
    rolldownOptions: {
      external: ["dexie"],
      // An app's own build makes it small; `npm run size` measures it made small.
      output: { minify: process.env["MINIFY"] === "1" },
    },
  },
});
