/** Svelte 5: what a store holds as reactive values, and components that show how it syncs. */
import type { Component } from "svelte";
import type { LocalStore } from "../index.js";
import Panel from "./DebugPanel.svelte";
import Status from "./SyncStatus.svelte";

export { getStore, setStore } from "./context.js";
export type { Reading } from "../index.js";
export { live, statusOf, type Reactive } from "./reactive.svelte.js";
export { say } from "./words.js";

/** `store` is by default that of `setStore`. Named here, since not every resolution finds a component's types. */
type OfStore = Component<{ store?: LocalStore }>;

export const DebugPanel: Component<{ store?: LocalStore; label?: string }> = Panel;
export const SyncStatus: OfStore = Status;
