/** What is still there when something is taken back: other devices delete meanwhile. */
import type { Identified } from "@syncline/sdk";
import type { Acting } from "./acting";

/** Those of some records that were not deleted since. */
export async function stillOf<T extends Identified>(
  collection: { query(): Promise<Identified[]> },
  records: readonly T[],
): Promise<T[]> {
  const there = new Set((await collection.query()).map(({ id }) => id));
  return records.filter(({ id }) => there.has(id));
}

/** Those whose task was not. */
export async function withTask<T extends { task: string }>(
  { tasks }: Acting,
  records: readonly T[],
): Promise<T[]> {
  const there = new Set((await tasks.query()).map(({ id }) => id));
  return records.filter(({ task }) => there.has(task));
}
