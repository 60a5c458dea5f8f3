/**
 * What of a guest's mutations does not move into an account: seeds of which the guest made nothing, or
 * nothing that is left. The account has its own, as they are by now, or begins with them.
 */
import { canonical } from "../core/canonical.js";
import { format, OLDEST } from "../core/hlc.js";
import type { JsonObject } from "../core/json.js";
import { lay } from "../core/overlay.js";
import type { Change } from "../core/wire.js";
import { recordKey } from "./database.js";
import type { Choice, Own } from "./moving.js";

const SEEDED_AT = format(OLDEST);

/**
 * Parts a guest's mutations, which are all there are, in their order; those up to `after` were parted
 * before, and left `stayed` behind. What was made of such a seed since moves whole.
 */
export function partSeeds(made: Own[], after: number, stayed: readonly string[]): Choice {
  const before = new Set(stayed);
  const seeds = new Map<string, JsonObject>();
  const held = new Map<string, JsonObject | null>();
  const moved = new Set<string>();
  for (const { n, c } of made)
    for (const change of c) {
      const key = keyOf(change);
      if (isSeed(change) && !held.has(key)) seeds.set(key, change.data);
      held.set(key, lay(held.get(key) ?? null, change));
      if (n <= after && !before.has(key)) moved.add(key);
    }
  const staying = [...seeds].filter(([key, seed]) => !moved.has(key) && isAs(held.get(key), seed));
  const stays = new Set(staying.map(([key]) => key));
  const isLate = (change: Change) => before.has(keyOf(change)) && !stays.has(keyOf(change));
  const late = made
    .filter(({ n }) => n <= after)
    .map(({ c }) => ({ n: null, c: c.filter(isLate) }))
    .filter(({ c }) => c.length > 0);
  const rest = made
    .filter(({ n }) => n > after)
    .map(({ n, c }) => ({ n, c: c.filter((change) => !stays.has(keyOf(change))) }));
  const keys = [...stays];
  return { rows: [...late, ...rest], stayed: { keys, gone: keys.filter((key) => !held.get(key)) } };
}

const keyOf = ({ table, id }: Change) => recordKey(table, id);

const isSeed = (change: Change): change is Change & { op: "insert" } =>
  change.op === "insert" && change.insertedAt === SEEDED_AT;

/** Whether a record is gone, or as the seed; a field that is absent is as good as one that is `null`. */
function isAs(record: JsonObject | null | undefined, seed: JsonObject): boolean {
  return !record || canonical(given(record)) === canonical(given(seed));
}

const given = (data: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));
