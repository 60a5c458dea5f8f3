/** Another tab of the app, as far as this one is told of it; nobody reaches the hub. */
import { beforeEach, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import type { Todo } from "../../src/todo/open";
import { open } from "./page";

beforeEach(() => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
});

/** As another tab that signs in (or out, with `null`) tells this one. */
export function tell(account: string | null): void {
  const key = "syncline-todo-account";
  if (account === null) localStorage.removeItem(key);
  else localStorage.setItem(key, account);
  dispatchEvent(new StorageEvent("storage", { key, newValue: account }));
}

/** Somebody's page, where nobody else has to be told of the account. */
export async function opened(account: string | null) {
  if (account !== null) localStorage.setItem("syncline-todo-account", account);
  return open({ account });
}

/** Waits until the store is an account's, or with `null` a guest's. */
export const isSomebody = (todo: Todo, account: string | null) =>
  until(() => todo.store.account === account).then(() => todo.store.ready());
