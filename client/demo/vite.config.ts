import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defaultClientConditions, defineConfig } from "vite";
import { offline } from "./offline.ts";

const at = (path: string) => new URL(path, import.meta.url).pathname;

/** Where the hub is while the app is worked on: it serves the app itself when it is built. */
const hub = process.env["HUB_URL"] ?? "http://127.0.0.1:3010";

export default defineConfig({
  root: at("."),
  plugins: [svelte(), offline()],
  // The SDK as it is here, not as it was last built.
  resolve: { conditions: ["@syncline/source", ...defaultClientConditions] },
  server: { proxy: { "/v1": { target: hub, ws: true }, "/dev": hub } },
  build: {
    target: "es2022",
    rolldownOptions: { input: [at("index.html"), at("two-devices.html")] },
  },
});
