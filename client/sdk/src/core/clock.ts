/**
 * This device's idea of the time: its wall clock corrected by the hub's, and the hybrid clock that
 * stamps its edits. Pure; the state is kept in the database, so that all tabs share it.
 */
import { AHEAD_MS_MAX, latest, tick, type Hlc } from "./hlc";

export interface ClockState {
  /** The last stamp given or seen. */
  hlc: Hlc;
  /** What to add to the device's wall clock, in milliseconds; 0 before the hub told its own. */
  offset: number;
}

export const NEW_CLOCK: ClockState = { hlc: { wall: 0, counter: 0 }, offset: 0 };

/** The next stamp at the device's wall time `now`. */
export function stamp(clock: ClockState, now: number): ClockState {
  return { ...clock, hlc: tick(clock.hlc, now + clock.offset) };
}

/** A stamp of another device was seen: what is edited now comes after it. */
export function observe(clock: ClockState, seen: Hlc): ClockState {
  return { ...clock, hlc: latest(clock.hlc, seen) };
}

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
