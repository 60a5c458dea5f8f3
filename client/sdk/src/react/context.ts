/** The store of the components below. */
import { createContext, useContext } from "react";
import type { LocalStore } from "../index";

const StoreContext = createContext<LocalStore | null>(null);

/** `<StoreProvider value={store}>` around the app. */
export const StoreProvider = StoreContext.Provider;

export function useStore(): LocalStore {
  const store = useContext(StoreContext);
  if (!store) throw new Error("there is no StoreProvider around this component");
  return store;
}
