/** Svelte 5: what a store holds as reactive values, and components that show how it syncs. */
export { getStore, setStore } from "./context";
export { default as DebugPanel } from "./DebugPanel.svelte";
export { live, statusOf, type Reactive } from "./reactive.svelte.js";
export { default as SyncStatus } from "./SyncStatus.svelte";
export { say } from "./words";
