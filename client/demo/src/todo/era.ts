/**
 * The time in which a tab shows one account's data, or one guest's. What the tab keeps over a reload,
 * such as the steps of its history, is of one era and leads nobody else anywhere.
 */
import { uuid } from "@syncline/sdk";

const KEY = "syncline-todo-era";

/** In front of what names a text in `sessionStorage` that was typed and is not stored. */
export const TYPED = "syncline-todo-new";

export interface Era {
  id: string;
  /** Whose data is shown; `null` for a guest's. */
  account: string | null;
}

/** The era that this tab was in when it was last here, if it was the account's. */
export function eraOf(account: string | null): Era {
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Era | null;
  if (kept?.account === account) return kept;
  // Another tab has signed out while this one was closed.
  if (kept && kept.account !== null) forgetTyped();
  return beginEra(account);
}

/** Somebody signed in or out. */
export function beginEra(account: string | null): Era {
  const era = { id: uuid(), account };
  sessionStorage.setItem(KEY, JSON.stringify(era));
  return era;
}

function forgetTyped(): void {
  for (const key of Object.keys(sessionStorage))
    if (key.startsWith(TYPED)) sessionStorage.removeItem(key);
}
