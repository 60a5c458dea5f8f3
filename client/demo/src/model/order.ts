/** Places in a list: numbers, so that moving one record changes no other. */

interface Placed {
  id: string;
  order: number;
}

/** In order; of two in one place, which two devices may give at once, the ids decide. */
export function inOrder<T extends Placed>(records: readonly T[]): T[] {
  return [...records].sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** The place at the end of a list. */
export function last(records: readonly Placed[]): number {
  return records.reduce((most, { order }) => Math.max(most, order), 0) + 1;
}

/**
 * The place for `id` to stand at `index` of the list as it is without it. `null` if it stands there.
 * Between two in the same place there is none between them: it shares theirs.
 */
export function placeAt(list: readonly Placed[], id: string, index: number): number | null {
  const others = list.filter((one) => one.id !== id);
  const at = Math.max(0, Math.min(index, others.length));
  if (list.findIndex((one) => one.id === id) === at) return null;
  const before = others[at - 1]?.order;
  const after = others[at]?.order;
  if (before === undefined) return (after ?? 1) - 1;
  if (after === undefined) return before + 1;
  return (before + after) / 2;
}
