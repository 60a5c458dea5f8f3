/**
 * Opening the database. One that the browser evicted is made anew and filled by the hub; one that
 * it cannot read is left for `salvage`, and another is made. Either is told, never hidden.
 */
import { uuid } from "../core/uuid.js";
import { Dexie } from "dexie";
import { backoff } from "../core/backoff.js";
import { SynclineError } from "../core/errors.js";
import type { Surroundings } from "../surroundings.js";
import { forgetFormers, formersOf, leaveAlone, noteLeft } from "./former.js";
import { Database, NEW_HERE, newClient, type Lost } from "./database.js";
import { undecided } from "./outbox.js";
import { forget, KEPT_MAX, lastPlace, mark, tellAll, unmark, wasThere } from "./places.js";

/** What browsers call a database whose files they cannot read, for the moment or for good. */
const DAMAGED = ["UnknownError", "DataError", "InvalidStateError", "NotFoundError"];

/** How often such a one is opened, after waits that double: 6 s in all. */
const DAMAGED_TRIES = 7;
const DAMAGED_WAIT_MS = 100;

/** What they call one that was closed while it was opened, because it is being evicted. */
const CLOSED = ["AbortError", "DatabaseClosedError"];

/** How often such a one is opened again before that is told as an error. */
const OPEN_TRIES = 5;

/** How often what was cut off is tried again, after waits that double: 2.5 s in all. */
const CUT_OFF_TRIES = 8;
const CUT_OFF_WAIT_MS = 10;

/**
 * Opens it. One that stays damaged is left where it is, and another place is begun: `salvage` looks
 * after it, and the tabs that have it open go there too. Errors: `quota`, `storage`.
 */
export async function openDatabase(
  name: string,
  fields: readonly string[],
  around: Surroundings,
): Promise<Database> {
  const place = await lastPlace(name, around);
  const evicted = wasThere(name, around) ? "evicted" : "";
  try {
    return (await openAt({ name, place, lost: evicted, triesMax: DAMAGED_TRIES }, fields, around))
      .db;
  } catch (error) {
    if (!isDamaged(error)) throw toSyncline(error);
  }
  try {
    const at = { name, place: place + 1, lost: "unreadable", triesMax: 1 } as const;
    const { db, isNew } = await openAt(at, fields, around);
    forget(name, around, place - KEPT_MAX);
    if (isNew) tellAll(name, around);
    return db;
  } catch (error) {
    throw toSyncline(error);
  }
}

/** Which database to open, what a new one is told to have lost, and how often a damaged one is tried. */
interface Asked {
  name: string;
  place: number;
  lost: Lost;
  triesMax: number;
}

async function openAt(
  { name, place, lost, triesMax }: Asked,
  fields: readonly string[],
  around: Surroundings,
): Promise<{ db: Database; isNew: boolean }> {
  let isNew = false;
  for (let tries = 1; ; tries++) {
    const db = new Database(name, fields, around.engine, place);
    let wait = backoff(tries, around.random());
    try {
      await db.open();
      // Also if it was closed after it was begun and before it was returned.
      if (await beginIfNew(db, lost)) isNew = true;
      if (db.isOpen() || tries === OPEN_TRIES) {
        mark(db, around);
        return { db, isNew };
      }
    } catch (error) {
      const cause = causeOf(error).name;
      wait = CLOSED.includes(cause) ? wait : DAMAGED_WAIT_MS * 2 ** (tries - 1);
      const most = CLOSED.includes(cause) ? OPEN_TRIES : DAMAGED.includes(cause) ? triesMax : 0;
      if (tries >= most) {
        db.close();
        throw error;
      }
    }
    db.close();
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** Gives a database that is open again its client id and its stay, if it is a new one. */
export async function begin(db: Database, around: Surroundings): Promise<void> {
  await beginIfNew(db, wasThere(db.asked, around) ? "evicted" : "");
  mark(db, around);
}

async function beginIfNew(db: Database, lost: Lost): Promise<boolean> {
  const { isNew, stay } = await db.transaction("rw", db.local, db.meta, async () => {
    const { stay } = await db.read("here");
    if (stay !== "") return { isNew: false, stay };
    if (lost) await db.keep("lost", lost);
    return { isNew: true, stay: await beginStay(db) };
  });
  db.stay = stay;
  return isNew;
}

async function beginStay(db: Database): Promise<string> {
  const stay = uuid();
  await db.keep("client", newClient());
  await db.keep("here", { ...NEW_HERE, stay });
  return stay;
}

/**
 * Deletes what it holds and ends the stay, so that tabs which have it open write nothing more. With
 * `onlyIfSent` there must be nothing that waits for its verdict or was refused. True if it is done.
 *
 * The database itself stays: a browser deletes none that a frozen tab has open, and whoever wants
 * it next would wait for that.
 */
export async function endStay(
  db: Database,
  around: Surroundings,
  { onlyIfSent }: { onlyIfSent: boolean },
): Promise<boolean> {
  const formers = await db.everything(async () => {
    const unsent = (await undecided(db)) + (await db.rejected.count());
    if (onlyIfSent && unsent > 0) return null;
    const formers = await formersOf(db);
    const clock = await db.read("clock");
    for (const table of db.tables) await table.clear();
    await db.keep("clock", clock);
    await beginStay(db);
    await leaveAlone(db);
    await noteLeft(db);
    return formers;
  });
  if (!formers) return false;
  // That it is empty is no loss.
  if (db.place === 1) unmark(db, around);
  else tellAll(db.asked, around);
  forget(db.asked, around, db.place - 1);
  forgetFormers(formers, around);
  return true;
}

/**
 * Does again what was cut off because the browser closed the database: nothing of it was done. One
 * whose opening was cut off stays closed until it is opened again.
 */
export async function unlessCutOff<T>(db: Database, work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const isOver = tries === CUT_OFF_TRIES || db.isClosedForGood;
      if (isOver || !isCutOff(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 2 ** tries * CUT_OFF_WAIT_MS));
    if (!db.isClosedForGood) await db.open().catch(() => {});
  }
}

/** Whether the browser cannot read the database's files. */
export function isDamaged(error: unknown): boolean {
  return DAMAGED.includes(causeOf(error).name);
}

/** Whether the browser closed the database under it. */
export function isCutOff(error: unknown): boolean {
  return CLOSED.includes(causeOf(error).name);
}

/** Whether the browser or Dexie threw it, and not the app in the midst of a query. */
export function isOfDatabase(error: unknown): boolean {
  return error instanceof DOMException || error instanceof Dexie.DexieError;
}

/** An error of the database as one that an app can act on. */
export function toSyncline(error: unknown): unknown {
  if (error instanceof SynclineError) return error;
  const { name, message } = causeOf(error);
  // Of several rows at once Dexie tells the causes in its message.
  if (`${name} ${message}`.includes("QuotaExceeded"))
    return new SynclineError("quota", "the browser gives no more room", { cause: error });
  if (name === "VersionError")
    return new SynclineError("storage", "the database is of a newer version", { cause: error });
  return new SynclineError("storage", `${name}: ${message}`, { cause: error });
}

/** Dexie wraps what the browser says. */
function causeOf(error: unknown): { name: string; message: string } {
  const { inner } = Object(error) as { inner?: unknown };
  return (inner ?? Object(error)) as { name: string; message: string };
}
