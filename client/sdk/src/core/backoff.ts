/** When to try again: full jitter, so that a hub that comes back is not met by all at once. */

const FIRST_MS = 500;
const LONGEST_MS = 30_000;
const LONGEST_REFUSED_MS = 300_000;

/**
 * Milliseconds to wait after `failures` failures in a row (from 1 on). `random` is in [0, 1).
 * `refused` is for a hub that said no and will say it again: it is asked seldom.
 */
export function backoff(failures: number, random: number, refused = false): number {
  const longest = refused ? LONGEST_REFUSED_MS : LONGEST_MS;
  return Math.round(random * Math.min(longest, FIRST_MS * 2 ** Math.min(failures, 20)));
}
