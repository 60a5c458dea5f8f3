/** Places in a list: numbers, so that moving one record most often changes no other. */

interface Placed {
  id: string;
  order: number;
}

/** As it may be stored: other clients may not know of places. */
interface Stored {
  id: string;
  order?: unknown;
}

/** The least step between places that are given anew: others will come between them. */
const STEP_MIN = 2 ** -20;

/** In order; of two in one place, which two devices may give at once, the ids decide. */
export function inOrder<T extends Stored>(records: readonly T[]): T[] {
  return [...records].sort((a, b) => placeOf(a) - placeOf(b) || (a.id < b.id ? -1 : 1));
}

/** What has no place, or what is none, has the place 0. */
const placeOf = ({ order }: Stored): number => (Number.isFinite(order) ? (order as number) : 0);

/** The place at the end of a list. */
export function last(records: readonly Stored[]): number {
  return records.reduce((most, one) => Math.max(most, placeOf(one)), 0) + 1;
}

/**
 * The places to be given for `id` to stand at `index` of `list` as it is without it; none if it
 * stands there. That is its own alone if there is room between its neighbours. If there is none
 * (two devices gave one place, or the numbers there are used up), the fewest around it get new ones.
 * `list` is a part of `all`, all of which but `id` keeps its order.
 */
export function placesFor(
  all: readonly Stored[],
  list: readonly Stored[],
  id: string,
  index: number,
): Placed[] {
  const shown = list.filter((one) => one.id !== id);
  const at = Math.max(0, Math.min(index, shown.length));
  if (list.findIndex((one) => one.id === id) === at) return [];
  const others = inOrder(all.filter((one) => one.id !== id)).map((one) => ({
    id: one.id,
    order: placeOf(one),
  }));
  const before = shown[at - 1];
  const place = before
    ? others.findIndex((one) => one.id === before.id) + 1
    : others.findIndex((one) => one.id === shown[0]?.id);
  return placed(others, Math.max(0, place), id);
}

/** The smallest part of the list that, given anew, has `id` stand at `at` of the others. */
function placed(others: readonly Placed[], at: number, id: string): Placed[] {
  const behind = others.length - at;
  for (let count = 0; ; count++) {
    const middle = Math.min(at, Math.max(Math.ceil(count / 2), count - behind));
    for (const ahead of new Set([middle, count, 0])) {
      if (ahead > at || count - ahead > behind) continue;
      const [from, to] = [at - ahead, at + count - ahead];
      const orders = spread(others[from - 1]?.order, others[to]?.order, count + 1);
      if (!orders) continue;
      const part = [...others.slice(from, at), { id }, ...others.slice(at, to)];
      return part.map((one, n) => ({ id: one.id, order: orders[n]! }));
    }
  }
}

/** `count` places between two, in even steps; `null` if there is no room for them. */
function spread(low: number | undefined, high: number | undefined, count: number): number[] | null {
  const isOpen = low === undefined || high === undefined;
  const step = isOpen ? 1 : (high - low) / (count + 1);
  const start = low ?? (high === undefined ? 0 : high - step * (count + 1));
  const orders = Array.from({ length: count }, (_, n) => start + step * (n + 1));
  if (count > 1 && step < STEP_MIN) return null;
  const bounds = [low ?? -Infinity, ...orders, high ?? Infinity];
  return bounds.every((order, n) => n === 0 || bounds[n - 1]! < order) ? orders : null;
}
