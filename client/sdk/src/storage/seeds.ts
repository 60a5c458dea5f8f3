/** What a space begins with that nobody has written to. */
import { format, OLDEST } from "../core/hlc";
import type { JsonObject } from "../core/json";
import type { Change } from "../core/wire";
import type { Database } from "./database";
import { take } from "./outbox";

export interface Seed {
  table: string;
  id: string;
  data: JsonObject;
}

/** Seeds of one mutation. */
const PLANTED_MAX = 200;

/**
 * Plants the seeds, once; true if that was now. They carry the oldest stamp there is, so whatever
 * anybody did to such a record wins, and two devices that plant the same seed have one record.
 */
export async function plant(db: Database, seeds: Seed[]): Promise<boolean> {
  const insertedAt = format(OLDEST);
  const changes = seeds.map((seed): Change => ({ ...seed, op: "insert", insertedAt }));
  if (changes.length === 0) return false;
  return db.everything(async () => {
    const done = await db.read("done");
    if (done.includes("seeds")) return false;
    await db.keep("done", [...done, "seeds"]);
    const mutations: Change[][] = [];
    while (changes.length > 0) mutations.push(changes.splice(0, PLANTED_MAX));
    await take(db, mutations);
    return true;
  });
}
