/**
 * The time in which a tab shows one account's data, or one guest's. What the tab keeps over a reload,
 * such as the steps of its history, is of one era and leads nobody else anywhere.
 */
import { uuid } from "@syncline/sdk";
import { keep } from "./keep";

const KEY = "syncline-todo-era";

/** Of all tabs. */
const STAY = "syncline-todo-stay";

/** In front of what names a text in `sessionStorage` that was typed and is not stored. */
export const TYPED = "syncline-todo-new";

export interface Era {
  id: string;
  /** Whose data is shown; `null` for a guest's. */
  account: string | null;
  /**
   * The time from a guest's beginning to the sign-out of the account that the guest became, or to where the
   * guest was forgotten.
   */
  stay: string;
}

/** The era that this tab was in when it was last here, if it was the account's or this guest's. */
export function eraOf(account: string | null): Era {
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Era | null;
  const isOfStay = kept?.stay === stayHere();
  if (kept?.account === account && (account !== null || isOfStay)) return kept;
  // Another tab has signed out while this one was closed. What a guest typed goes along into the account.
  if (kept && !(kept.account === null && isOfStay)) forgetTyped();
  return beginEra(account);
}

/** Somebody signed in or out. */
export function beginEra(account: string | null): Era {
  const era = { id: uuid(), account, stay: stayHere() };
  keep(sessionStorage, KEY, JSON.stringify(era));
  return era;
}

/** Who comes after the sign-out that is about to be is another guest, and nobody is one who is forgotten. */
export function beginStay(): string {
  const stay = uuid();
  resumeStay(stay);
  return stay;
}

/** What was to be is not. */
export function resumeStay(stay: string): void {
  unkept = stay;
  keep(localStorage, STAY, stay);
}

/** This page's, for a browser that keeps nothing. */
let unkept: string | undefined;

/** The stay there is now, in all tabs. */
export function stayHere(): string {
  const kept = localStorage.getItem(STAY);
  if (kept !== null) return kept;
  if (unkept === undefined) return beginStay();
  resumeStay(unkept);
  return unkept;
}

function forgetTyped(): void {
  for (const key of Object.keys(sessionStorage))
    if (key.startsWith(TYPED)) sessionStorage.removeItem(key);
}
