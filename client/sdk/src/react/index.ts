/** React: hooks that show what a store holds, again whenever that changes. */
export { StoreProvider, useStore } from "./context.js";
export { useLive, type Reading } from "./live.js";
export { useRejected, useStatus } from "./status.js";
