/**
 * Opening the database. One that the browser evicted or damaged is made anew and filled by the
 * hub; that unsent edits are gone with it is told, never hidden.
 */
import { SynclineError } from "../core/errors";
import type { Surroundings } from "../surroundings";
import { Database, newClient } from "./database";

/** What browsers call a database whose files they cannot read. */
const DAMAGED = ["UnknownError", "DataError", "InvalidStateError", "NotFoundError"];

/** Opens it. `lost`: there was one before, and what it held is gone. Errors: `quota`, `storage`. */
export async function openDatabase(
  name: string,
  fields: readonly string[],
  around: Surroundings,
): Promise<{ db: Database; lost: boolean }> {
  const db = new Database(name, fields, around.engine);
  let damaged = false;
  try {
    await db.open();
  } catch (error) {
    if (!DAMAGED.includes(causeOf(error).name)) throw toSyncline(error);
    damaged = true;
    await db.delete({ disableAutoOpen: false });
    await db.open();
  }
  return { db, lost: (await begin(db, around)) || damaged };
}

/** Gives a new database its client id. True if it should not have been new. */
export async function begin(db: Database, around: Surroundings): Promise<boolean> {
  const isNew = await db.transaction("rw", db.meta, async () => {
    if ((await db.meta.get("client")) !== undefined) return false;
    await db.keep("client", newClient());
    return true;
  });
  const wasThere = around.markers?.getItem(db.name) != null;
  around.markers?.setItem(db.name, "1");
  return isNew && wasThere;
}

/** Deletes it, on purpose. */
export async function deleteDatabase(db: Database, around: Surroundings): Promise<void> {
  around.markers?.removeItem(db.name);
  await db.delete();
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
