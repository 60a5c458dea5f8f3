/** Corrects the device's clock by the hub's. Pure. */
import type { ClockState } from "./clock.js";
import { AHEAD_MS_MAX } from "./hlc.js";

/** A reading of the hub's clock, between two of the device's, in milliseconds since 1970. */
export interface Reading {
  hub: number;
  /** When the device asked for what the hub's time came with, and when that came. */
  asked: number;
  came: number;
}

/**
 * Corrects the clock by a reading of the hub's. The hub read its own somewhere between asking and
 * answering, so an offset that fits into that is kept: a slow network shifts no clock.
 * `latestSent` is the latest wall time in mutations that were sent and have no verdict.
 *
 * A clock that was far ahead is set back, or every edit would go on being clamped. It waits for
 * what was sent with such a stamp: an edit made now must not be older than that one, and the hub
 * moves both to its own time in their order. Returns `restamp` if mutations that were never sent
 * must be stamped again, since they may be ahead too.
 */
export function correct(
  clock: ClockState,
  { hub, asked, came }: Reading,
  latestSent: number,
): { clock: ClockState; restamp: boolean } {
  const offset = Math.min(Math.max(clock.offset, hub - came), Math.max(hub - asked, hub - came));
  const limit = hub + AHEAD_MS_MAX;
  if (clock.hlc.wall <= limit || latestSent > limit)
    return { clock: { ...clock, offset }, restamp: false };
  return { clock: { hlc: { wall: hub + 1, counter: 0 }, offset }, restamp: true };
}
