/** What mutations weigh, and what a hub takes at once. */
import { bytesOf } from "./utf8.js";
import type { Change, Limits } from "./wire.js";

/** Bytes of a push besides its mutations, and of a mutation besides its changes. */
export const AROUND_PUSH = 256;
export const AROUND_MUTATION = 64;

/** Changes that are put together into one mutation: what fails of them fails together. */
const CHANGES_MAX = 200;

/** What holds until a hub has told its own limits. */
export const DEFAULT_LIMITS: Limits = { message_bytes: 1 << 20, changes_per_push: 5_000 };

/** What counts of a mutation that is to be sent. */
export interface Weight {
  /** UTF-8 bytes of its changes as JSON. */
  bytes: number;
  changes: number;
}

export function weigh(changes: Change[]): Weight {
  return { bytes: bytesOf(JSON.stringify(changes)), changes: changes.length };
}

/** Whether a hub with these limits takes a mutation at all, sent alone. */
export function fits({ bytes, changes }: Weight, limits: Limits): boolean {
  return (
    changes <= limits.changes_per_push &&
    bytes + AROUND_MUTATION + AROUND_PUSH <= limits.message_bytes
  );
}

/**
 * Puts changes together, in their order, into as few mutations as a hub with these limits takes. One
 * that is too large by itself stands alone. `toChange` makes what is weighed of an item.
 */
export function packed<T>(
  items: readonly T[],
  toChange: (item: T) => Change,
  limits: Limits,
): T[][] {
  const packs: T[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    // A comma, or the brackets of the first.
    const more = weigh([toChange(item)]).bytes;
    const last = packs.at(-1);
    const isFit = fits({ bytes: bytes + more, changes: (last?.length ?? 0) + 1 }, limits);
    if (last && isFit && last.length < CHANGES_MAX) last.push(item);
    else {
      packs.push([item]);
      bytes = 0;
    }
    bytes += more;
  }
  return packs;
}
