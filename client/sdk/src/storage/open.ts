/**
 * Opening the database. One that the browser evicted or damaged is made anew and filled by the
 * hub; that unsent edits are gone with it is told, never hidden.
 */
import { backoff } from "../core/backoff";
import { SynclineError } from "../core/errors";
import type { Surroundings } from "../surroundings";
import { Database, NEW_HERE, newClient } from "./database";
import { undecided } from "./outbox";

/** What browsers call a database whose files they cannot read. */
const DAMAGED = ["UnknownError", "DataError", "InvalidStateError", "NotFoundError"];

/** What they call one that was closed while it was opened, because it is being evicted. */
const CLOSED = ["AbortError", "DatabaseClosedError"];

/** How often such a one is opened again before that is told as an error. */
const OPEN_TRIES = 5;

/** How often what was cut off is tried again, after waits that double: 2.5 s in all. */
const CUT_OFF_TRIES = 8;
const CUT_OFF_WAIT_MS = 10;

/** Opens it. `lost`: there was one before, and what it held is gone. Errors: `quota`, `storage`. */
export async function openDatabase(
  name: string,
  fields: readonly string[],
  around: Surroundings,
): Promise<{ db: Database; lost: boolean }> {
  for (let tries = 1; ; tries++) {
    const db = new Database(name, fields, around.engine);
    try {
      const lost = await openOnce(db, around);
      if (db.isOpen() || tries === OPEN_TRIES) return { db, lost };
    } catch (error) {
      if (tries === OPEN_TRIES || !CLOSED.includes(causeOf(error).name)) throw toSyncline(error);
    }
    db.close();
    await new Promise((resolve) => setTimeout(resolve, backoff(tries, around.random())));
  }
}

async function openOnce(db: Database, around: Surroundings): Promise<boolean> {
  let damaged = false;
  try {
    await db.open();
  } catch (error) {
    if (!DAMAGED.includes(causeOf(error).name)) throw error;
    damaged = true;
    await db.delete({ disableAutoOpen: false });
    await db.open();
  }
  return (await begin(db, around)) || damaged;
}

/** Gives a new database its client id and its stay. True if it should not have been new. */
export async function begin(db: Database, around: Surroundings): Promise<boolean> {
  const { isNew, stay } = await db.transaction("rw", db.local, db.meta, async () => {
    const { stay } = await db.read("here");
    return stay === "" ? { isNew: true, stay: await beginStay(db) } : { isNew: false, stay };
  });
  db.stay = stay;
  const wasThere = around.markers?.getItem(db.name) != null;
  around.markers?.setItem(db.name, "1");
  return isNew && wasThere;
}

async function beginStay(db: Database): Promise<string> {
  const stay = crypto.randomUUID();
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
  const isDone = await db.everything(async () => {
    const unsent = (await undecided(db)) + (await db.rejected.count());
    if (onlyIfSent && unsent > 0) return false;
    const clock = await db.read("clock");
    for (const table of db.tables) await table.clear();
    await db.keep("clock", clock);
    await beginStay(db);
    return true;
  });
  // That it is empty is no loss.
  if (isDone) around.markers?.removeItem(db.name);
  return isDone;
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
      if (isOver || !CLOSED.includes(causeOf(error).name)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 2 ** tries * CUT_OFF_WAIT_MS));
    if (!db.isClosedForGood) await db.open().catch(() => {});
  }
}

/** An error of the database as one that an app can act on. */
export function toSyncline(error: unknown): unknown {
  if (error instanceof SynclineError) return error;
  const { name, message } = causeOf(error);
  if (name === "QuotaExceededError")
    return new SynclineError("quota", "the browser gives no more room", { cause: error });
  if (name === "VersionError")
    return new SynclineError("storage", "the database is of a newer version", { cause: error });
  return new SynclineError("storage", `${name}: ${message}`, { cause: error });
}

/** Dexie wraps what the browser says. */
function causeOf(error: unknown): { name: string; message: string } {
  const { inner } = error as { inner?: unknown };
  return (inner ?? error) as { name: string; message: string };
}
