/** What a space begins with that nobody has written to. */
import { format, OLDEST } from "../core/hlc.js";
import { packed } from "../core/weight.js";
import type { JsonObject } from "../core/json.js";
import type { Change } from "../core/wire.js";
import { recordKey, type Database } from "./database.js";
import { take } from "./outbox.js";

export interface Seed {
  table: string;
  id: string;
  data: JsonObject;
}

/**
 * Plants the seeds, once; true if that was now. They carry the oldest stamp there is, so whatever
 * anybody did to such a record wins, and two devices that plant the same seed have one record. What a
 * guest who moved in had deleted of them is not planted.
 */
export async function plant(db: Database, seeds: Seed[]): Promise<boolean> {
  const insertedAt = format(OLDEST);
  if (seeds.length === 0) return false;
  return db.everything(async () => {
    const done = await db.read("done");
    if (done.includes("seeds")) return false;
    await db.keep("done", [...done, "seeds"]);
    const { limits } = await db.read("here");
    const gone = new Set((await db.read("stayed")).gone);
    const changes = seeds
      .filter(({ table, id }) => !gone.has(recordKey(table, id)))
      .map((seed): Change => ({ ...seed, op: "insert", insertedAt }));
    await take(
      db,
      packed(changes, (change) => change, limits),
    );
    return true;
  });
}
