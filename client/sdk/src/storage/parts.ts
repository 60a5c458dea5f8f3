/**
 * A mutation that was parted goes on as one for each of its changes, in its place: the last has its `n`,
 * those before it fractions between that and the one before.
 */
import type { Table } from "dexie";

/** Whether it is the `n` of a part that is not the last. */
export const isPart = (n: number) => !Number.isInteger(n);

/** The `n` of the mutation that a part was of. */
export const wholeOf = (part: number) => Math.ceil(part);

/** Those of a mutation but the last. */
export const partsOf = <T>(rows: Table<T, number>, n: number) =>
  rows.where("n").between(n - 1, n, false, false);
