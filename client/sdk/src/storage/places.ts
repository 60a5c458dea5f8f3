/**
 * In which of its places the database of a name is. One that cannot be opened is left where it is and
 * the next place is begun, so tabs of an account may have different ones open. A mark outside the
 * database says which is the last; a word on a channel has every tab look there.
 */
import { Dexie } from "dexie";
import { sayOnce, type Surroundings } from "../surroundings.js";
import { placeName, type Database } from "./database.js";

/** How many that could not be opened are kept, for what may be read of them later. */
export const KEPT_MAX = 2;

/** The last place there is. */
export async function lastPlace(name: string, around: Surroundings): Promise<number> {
  return Number(marked(name, around) ?? (await placed(name, around)));
}

/** The last place a mark tells of. */
export function markedPlace(name: string, around: Surroundings): number {
  return Number(marked(name, around) ?? 1);
}

/** The last one where no mark tells. */
async function placed(name: string, { engine }: Surroundings): Promise<number> {
  const places = ((await namesIn(engine)) ?? []).map((one) => one.split(`:${name}`));
  return Math.max(1, ...places.map(([at, rest]) => (rest === "" ? Number(at) || 1 : 1)));
}

/** The databases there are; `undefined` where the browser does not tell. */
async function namesIn(engine: Surroundings["engine"]): Promise<string[] | undefined> {
  try {
    const all = await (engine?.indexedDB ?? globalThis.indexedDB)?.databases?.();
    return all?.map(({ name }) => name ?? "");
  } catch {
    return undefined;
  }
}

/** Whether there is such a database: opening one would make it. */
export async function isThere(db: Database, { engine }: Surroundings): Promise<boolean> {
  const all = await namesIn(engine);
  return all?.includes(placeName(db.asked, db.place)) ?? true;
}

/** Whether there was a database of this name; without a mark an eviction goes unnoticed. */
export function wasThere(name: string, around: Surroundings): boolean {
  return marked(name, around) !== null;
}

/** Remembers outside the database that it is there, and where. */
export function mark(db: Database, around: Surroundings): void {
  const place = Math.max(db.place, markedPlace(db.asked, around));
  withMarkers(around, (markers) => markers.setItem(db.asked, String(place)));
}

export function unmark(db: Database, around: Surroundings): void {
  withMarkers(around, (markers) => markers.removeItem(db.asked));
}

function marked(name: string, around: Surroundings): string | null {
  return withMarkers(around, (markers) => markers.getItem(name)) ?? null;
}

/** That a mark cannot be set keeps nobody from working. */
function withMarkers<T>(
  { markers }: Surroundings,
  use: (markers: NonNullable<Surroundings["markers"]>) => T,
): T | undefined {
  try {
    return markers && use(markers);
  } catch {
    return undefined;
  }
}

/** Deletes the databases in these places, as soon as no tab has them open. */
export function forget(name: string, { engine }: Surroundings, upTo: number): void {
  for (let place = 1; place <= upTo; place++)
    void new Dexie(placeName(name, place), engine).delete().catch(() => {});
}

/** Has every tab that has a database of this name open look where the last one is. */
export function tellAll(name: string, around: Surroundings): void {
  sayOnce(channelOf(name), around, "look");
}

/** Calls back when it is to look. Returns what ends it. */
export function hear(name: string, { BroadcastChannel }: Surroundings, call: () => void) {
  if (!BroadcastChannel) return () => {};
  const channel = new BroadcastChannel(channelOf(name));
  channel.onmessage = call;
  return () => channel.close();
}

/** No database is called that, whatever the account. */
const channelOf = (name: string) => `places:${name}`;
