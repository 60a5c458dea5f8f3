/**
 * Looks after the databases that could not be read when another was begun in their place. Loaded by
 * who has one. They stay: another tab may have one open all the while.
 */
import { uuid } from "../core/uuid.js";
import { SynclineError } from "../core/errors.js";
import type { Surroundings } from "../surroundings.js";
import { Database, type Client, type Lost } from "./database.js";
import { formersOf, inherit, isAlone, noteLeft, type Former } from "./former.js";
import { movedUpTo, moveUnsent } from "./moving.js";
import { isDamaged } from "./open.js";
import { KEPT_MAX, isThere, tellAll } from "./places.js";

/** How often what is written meanwhile in a former place is moved too. */
const PASSES_MAX = 5;

/**
 * Makes again, in `db`, what they hold unsent, if they can be read now. True if there was something.
 * With all of it here nothing is lost any more.
 */
export async function salvage(db: Database, around: Surroundings): Promise<boolean> {
  const before = await db.outbox.count();
  const losses: Lost[] = [];
  for (const former of await formersOf(db)) losses.push(await salvageFrom(former, db, around));
  if (losses.length > 0) await keepLoss(db, losses.find((lost) => lost) ?? "");
  const isAny = (await db.outbox.count()) > before;
  // Who waits for what became of them may look here.
  if (isAny) tellAll(db.asked, around);
  return isAny;
}

/** What is known now of what could not be read. */
export async function keepLoss(db: Database, lost: Lost): Promise<void> {
  await db.everything(async () => {
    if ((await db.read("lost")) === "unreadable") await db.keep("lost", lost);
  });
}

/** Returns what of them is lost, as far as can be told. */
async function salvageFrom(former: Former, db: Database, around: Surroundings): Promise<Lost> {
  let lost: Lost = "unreadable";
  let isKnown = false;
  for (const kept of keptOf(former, around)) {
    try {
      const found = (await isThere(kept, around)) ? await moveFrom(kept, db) : null;
      // Where one was begun because another could not be read, that one is what tells.
      if (!isKnown && found) lost = found.lost;
      isKnown ||= found?.lost !== "unreadable";
      if (found?.isAlone) break;
    } catch {
      // It cannot be read, and is looked at again the next time.
      isKnown = true;
    } finally {
      kept.close();
    }
  }
  return lost;
}

/** Moves what one holds. Returns what was lost before it was begun; `null` if it is a new one itself. */
async function moveFrom(kept: Database, db: Database) {
  const client = (await kept.read("client")) as Client | null;
  if (!client) return null;
  await moveUnsent(kept, db, client.id);
  for (const other of await formersOf(kept))
    if (other.name !== kept.asked) await db.everything(() => inherit(db, other));
  return { lost: await kept.read("lost"), isAlone: await isAlone(kept) };
}

/**
 * Lets no tab write any more in a former place, after all that is there has moved: `moved` is called if
 * something has. Errors: of one that can be read and does not move; `unsynced` where nobody has
 * acknowledged that one cannot be read.
 */
export async function endFormers(
  db: Database,
  around: Surroundings,
  moved: () => void,
): Promise<void> {
  const before = await db.outbox.count();
  let isWhole = true;
  let stuck: unknown;
  for (const former of await formersOf(db)) {
    for (const kept of keptOf(former, around)) {
      try {
        if (await isThere(kept, around)) await end(kept, db);
      } catch (error) {
        if (kept.isOpen() && !isDamaged(error)) stuck ??= error;
        // Another tab may have it open all the same.
        isWhole = false;
      } finally {
        kept.close();
      }
    }
  }
  // What has moved is here, whatever becomes of the rest.
  if ((await db.outbox.count()) > before) moved();
  if (stuck) throw stuck;
  if (!isWhole && (await db.read("lost")) === "unreadable")
    throw new SynclineError("unsynced", "unsent writes are in a database that cannot be read");
}

async function end(kept: Database, db: Database): Promise<void> {
  const client = (await kept.read("client")) as Client | null;
  if (!client) return;
  for (let pass = 1; pass <= PASSES_MAX; pass++) {
    await moveUnsent(kept, db, client.id);
    const upTo = await movedUpTo(db, client.id);
    const isDone = await kept.transaction("rw", kept.tables, async () => {
      const decided = new Set(await kept.sent.where("seq").aboveOrEqual(0).primaryKeys());
      const more = await kept.outbox.where("n").above(upTo).primaryKeys();
      if (more.some((n) => !decided.has(n))) return false;
      await kept.keep("here", { ...(await kept.read("here")), stay: uuid() });
      await noteLeft(kept);
      return true;
    });
    if (isDone) return;
  }
  throw new SynclineError("unsynced", "another tab goes on writing");
}

/** The databases that are kept in former places, the last one first. To be closed. */
function* keptOf({ name, before }: Former, around: Surroundings): Generator<Database> {
  for (let place = before - 1; place >= Math.max(1, before - KEPT_MAX); place--)
    yield new Database(name, [], around.engine, place);
}
