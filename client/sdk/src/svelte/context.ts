/** The store of the components below. */
import { createContext } from "svelte";
import type { LocalStore } from "../index.js";

const [get, set] = createContext<LocalStore>();

/** The store of the component above that called `setStore`. Throws if none did. */
export const getStore: () => LocalStore = get;

/** Gives the store to this component's children; called while it is set up. */
export const setStore: (store: LocalStore) => LocalStore = set;
