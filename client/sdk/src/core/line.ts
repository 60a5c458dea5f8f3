/**
 * What a line to the hub carries, as far as pushes have shown: one that breaks before a large push is
 * through may carry a small one. Pure.
 */
import { PUSH_MAX } from "./outbox.js";

export interface Line {
  /** Mutations of the next push, at most. */
  most: number;
  /** Links in a row that broke with a push under way, since one was answered. */
  breaks: number;
}

export const NEW_LINE: Line = { most: PUSH_MAX, breaks: 0 };

/** A push was answered. */
export function carried({ most }: Line): Line {
  return { most: Math.min(2 * most, PUSH_MAX), breaks: 0 };
}

/**
 * A link broke with a push of so many mutations under way. Any line may break once. `isSlow`: the hub
 * waited too long for the push.
 */
export function broke(line: Line, length: number, isSlow: boolean): Line {
  const breaks = line.breaks + 1;
  const isForgiven = breaks === 1 && line.most === PUSH_MAX && !isSlow;
  return { breaks, most: isForgiven ? PUSH_MAX : Math.max(1, length >> 1) };
}
