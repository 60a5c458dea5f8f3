/** React: hooks that show what a store holds, again whenever that changes. */
export { StoreProvider, useStore } from "./context.js";
export type { Reading } from "../index.js";
export { useLive } from "./live.js";
export { useRejected, useStatus } from "./status.js";
