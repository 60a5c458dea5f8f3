/**
 * What becomes of a guest's write that another tab has moved into an account. This tab is still the
 * guest's, so it looks into the account's database for as long as that takes, and writes nothing there.
 */
import { Awaited, discarded } from "./awaited.js";
import { closed, RejectedError } from "./core/errors.js";
import { Database, type Went } from "./storage/database.js";
import { movedAs } from "./storage/moving.js";
import { toSyncline } from "./storage/open.js";
import { hear, lastPlace } from "./storage/places.js";
import type { Verdict } from "./storage/verdicts.js";
import type { Surroundings } from "./surroundings.js";

export { movedAs };

/** The database where a mutation now is, the client id of the one it came from, and its `n` there. */
interface Trace {
  into: Pick<Went, "name" | "place" | "stay">;
  id: string;
  n: number;
}

/**
 * `n` is the write's in the guest's database. Errors: `RejectedError`, and `stopped` also where the
 * account was signed out on this device before its writes were sent.
 */
export async function followInto(
  went: Went,
  n: number,
  { around, ended }: { around: Surroundings; ended: AbortSignal },
): Promise<"applied" | "superseded"> {
  let trace: Trace = { into: went, id: went.id, n };
  try {
    for (;;) {
      const found = await followOnce(trace, around, ended);
      if ("into" in found) trace = found;
      else if (found.status === "rejected")
        throw new RejectedError(found.code, found.message, found.n);
      else if (found.status === "applied" || found.status === "superseded") return found.status;
      else throw discarded();
    }
  } catch (error) {
    throw toSyncline(error);
  }
}

/** Its verdict, or where it has gone from there. */
async function followOnce(
  { into, id, n }: Trace,
  around: Surroundings,
  ended: AbortSignal,
): Promise<Verdict | Trace> {
  const db = new Database(into.name, [], around.engine, into.place);
  db.stay = into.stay;
  const awaited = new Awaited(db, {
    work: (work) => work(),
    begins: () => 0,
    looked: () => {},
    isPassing: () => false,
  });
  const stopped = closed();
  const stop = () => awaited.end(stopped);
  ended.addEventListener("abort", stop);
  let unhear = () => {};
  try {
    let there = await movedAs(db, id, n);
    for (;;) {
      if (there === undefined) throw discarded();
      if (ended.aborted) throw stopped;
      const at = there;
      const gone = new Promise<Trace>((resolve) => (unhear = onGone(db, at, around, resolve)));
      const found = await Promise.race([awaited.of({ n: at, stay: into.stay }), gone]);
      unhear();
      if ("into" in found || found.status !== "moved") return found;
      there = found.to;
    }
  } finally {
    ended.removeEventListener("abort", stop);
    unhear();
    awaited.end(stopped);
    db.close();
  }
}

/** Calls back when the account has gone to another place, with the mutation. Returns what ends it. */
function onGone(
  db: Database,
  n: number,
  around: Surroundings,
  call: (trace: Trace) => void,
): () => void {
  const look = async () => {
    const place = await lastPlace(db.asked, around);
    if (place === db.place) return;
    const last = new Database(db.asked, [], around.engine, place);
    try {
      const { id } = await db.read("client");
      if ((await movedAs(last, id, n)) === undefined) return;
      const { stay } = await last.read("here");
      call({ into: { name: db.asked, place, stay }, id, n });
    } finally {
      last.close();
    }
  };
  const looks = () => void look().catch(() => {});
  looks();
  return hear(db.asked, around, looks);
}
