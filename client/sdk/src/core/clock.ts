/**
 * This device's idea of the time: its wall clock corrected by the hub's, and the hybrid clock that
 * stamps its edits. Pure; the state is kept in the database, so that all tabs share it.
 */
import { latest, tick, type Hlc } from "./hlc.js";

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
