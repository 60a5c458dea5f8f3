/** What is done when an account is left. */
import { untrack } from "svelte";
import type { Era } from "../todo/era";

/** Calls back when somebody signs out, here or in another tab; made with a component, for as long as it is there. */
export function onLeave(era: () => Era, call: () => void): void {
  let before = untrack(era);
  $effect(() => {
    const now = era();
    // A guest's goes along into the account.
    if (now !== before && before.account !== null) untrack(call);
    before = now;
  });
}

/**
 * Made with a component: returns whether an account was signed out since, also one that a guest became, and
 * its data is nobody's here, or a guest was forgotten. `left`: how many were.
 */
export function whenLeft(app: { left: number }): () => boolean {
  const left = () => untrack(() => app.left);
  const before = left();
  return () => left() !== before;
}
