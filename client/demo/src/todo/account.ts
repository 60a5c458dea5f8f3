/** Who is signed in on this device. The hub's development issuer gives the tokens. */
import type { Auth, LocalStore } from "@syncline/sdk";

/** Where the account's name outlives the page. */
const KEY = "syncline-todo-account";

/** The account of the last visit; `null` for a guest. */
export function remembered(): string | null {
  return localStorage.getItem(KEY);
}

export function remember(account: string | null): void {
  if (account === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, account);
}

/** Without a network it throws what `fetch` throws, which the store takes as being offline. */
export async function token(user: string): Promise<string> {
  const body = JSON.stringify({ user, ttl_s: 3_600 });
  const answer = await fetch("/dev/token", { method: "POST", body });
  // A proxy between that finds nobody: as good as no network.
  if (answer.status === 502 || answer.status === 503) throw new TypeError("the hub is away");
  const said = (await answer.json().catch(() => ({}))) as { token?: string; message?: string };
  if (!answer.ok || !said.token) throw new Error(said.message ?? `no token: ${answer.status}`);
  return said.token;
}

/**
 * A guest who signs in in another tab is no guest here either: what is written in this one goes along.
 * Returns what ends it.
 */
export function follow(store: LocalStore): () => void {
  const heard = ({ key, newValue }: StorageEvent) => {
    if (key !== KEY || newValue === null || store.status.account !== null) return;
    // If that fails this tab stays a guest's, and says so.
    store.signIn(authOf(newValue)).catch(() => {});
  };
  addEventListener("storage", heard);
  return () => removeEventListener("storage", heard);
}

export const authOf = (account: string): Auth => ({ account, token: () => token(account) });
