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

/**
 * The hub's clock showed `hub` about when the device's showed `now`. `latestSent` is the latest
 * wall time in mutations that have been sent and have no verdict.
 *
 * A clock that was far ahead is set back, or every edit would go on being clamped. It waits for
 * what was sent with such a stamp: an edit made now must not be older than that one, and the hub
 * moves both to its own time in their order. Returns `restamp` if mutations that were never sent
 * must be stamped again, since they may be ahead too.
 */
export function correct(
  clock: ClockState,
  hub: number,
  now: number,
  latestSent: number,
): { clock: ClockState; restamp: boolean } {
  const offset = hub - now;
  const limit = hub + AHEAD_MS_MAX;
  if (clock.hlc.wall <= limit || latestSent > limit)
    return { clock: { ...clock, offset }, restamp: false };
  return { clock: { hlc: { wall: hub + 1, counter: 0 }, offset }, restamp: true };
}
