/** React: hooks that show what a store holds, again whenever that changes. */
export { StoreProvider, useStore } from "./context";
export { useLive } from "./live";
export { useRejected, useStatus } from "./status";
