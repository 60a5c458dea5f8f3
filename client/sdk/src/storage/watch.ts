/** Hears of changes to a database, whichever tab made them, without keeping up with each of them. */
import { Dexie } from "dexie";
import type { Database } from "./database.js";

/** Changes that follow each other faster are looked at together. */
const LOOK_EVERY_MS = 50;

/**
 * Calls `look` now, and after changes to these tables: at once, and then no more often than every
 * 50 ms, since whoever writes waits for what is being read; and again if `look` says so. A table with
 * `/:dels` behind it is one of which only deletes count. Returns what ends it.
 */
export function watch(
  db: Database,
  tables: string[],
  look: () => Promise<boolean>,
  every = LOOK_EVERY_MS,
): () => void {
  // The name it has there: surroundings may give it another than it was asked for by.
  const { name } = db.backendDB() ?? db;
  const places = tables.map((table) => `idb://${name}/${table}${table.includes("/") ? "" : "/"}`);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isDue = true;
  let isOver = false;
  const next = async () => {
    timer = undefined;
    if (!isDue || isOver) return;
    isDue = false;
    timer = setTimeout(() => void next(), every);
    // One that failed is made up for by the next: the database was closed.
    const isAgain = await look().catch(() => false);
    if (!isAgain || isOver) return;
    isDue = true;
    if (timer === undefined) void next();
  };
  const changed = (parts: object) => {
    isDue ||= Object.keys(parts).some((part) => places.some((place) => part.startsWith(place)));
    if (timer === undefined) void next();
  };
  Dexie.on("storagemutated", changed);
  void next();
  return () => {
    isOver = true;
    clearTimeout(timer);
    Dexie.on.storagemutated.unsubscribe(changed);
  };
}
