/** The store of the components below. */
import { createContext, useContext } from "react";
import type { LocalStore } from "../index.js";

const StoreContext = createContext<LocalStore | null>(null);

/** `<StoreProvider value={store}>` around the app. */
export const StoreProvider = StoreContext.Provider;

export const useStore = (): LocalStore => useGiven(undefined);

/** A store that is given comes before that of the `StoreProvider`. */
export function useGiven(given: LocalStore | undefined): LocalStore {
  const above = useContext(StoreContext);
  const store = given ?? above;
  if (!store) throw new Error("there is no StoreProvider around this component");
  return store;
}
