/**
 * What becomes of a guest's data when the guest signs in. Each way can be broken off and repeated,
 * and other tabs of the guest may go on writing: what they write moves in too, or is a new guest's.
 */
import type { JsonObject } from "./core/json";
import { shownGen } from "./core/copy";
import { NEW_HERE, newClient, type Database } from "./storage/database";
import { take, type Edit } from "./storage/outbox";
import type { Session } from "./session";

/**
 * - `merge`: the guest's edits are made in the account, at the times they were made.
 * - `keep-server`: they are dropped.
 * - `keep-local`: the account then holds what the guest held, and nothing else.
 */
export type GuestChoice = "merge" | "keep-server" | "keep-local";

/** How often what another tab has written meanwhile is moved too, before it is left to a new guest. */
const PASSES_MAX = 5;

/** Edits of one mutation while an account is made like a guest. */
const EDITS_MAX = 200;

export async function moveIn(guest: Session, account: Session, choice: GuestChoice): Promise<void> {
  const { id } = await guest.db.read("client");
  if (choice === "keep-server") await leave(guest.db, id, Infinity);
  else {
    if (choice === "keep-local" && (await movedTo(account.db, id)) < 0) {
      const to = await replace(guest, account);
      await account.db.everything(() => nowMoved(account.db, id, to));
    }
    for (let pass = 1; ; pass++) {
      const to = await moveNext(guest.db, account.db, id);
      if (await leave(guest.db, id, to, pass === PASSES_MAX)) break;
    }
  }
  guest.close();
  account.wrote();
}

/** Moves the edits that have not moved in yet. Returns the last one's `n`. */
async function moveNext(guest: Database, account: Database, id: string): Promise<number> {
  const from = await movedTo(account, id);
  // Read before: a transaction cannot wait for another database.
  const rows = await guest.outbox.where("n").above(from).sortBy("n");
  const to = rows.at(-1)?.n ?? from;
  return account.everything(async () => {
    const now = await movedTo(account, id);
    // Another tab that signs in was faster.
    if (now !== from) return now;
    await take(
      account,
      rows.map((row) => row.c),
    );
    await nowMoved(account, id, to);
    return to;
  });
}

/**
 * Makes the database a new guest's. What another tab wrote after `to` is the new one's if `anyway`;
 * else there must be no such thing. True if it is done.
 */
function leave(guest: Database, id: string, to: number, anyway = false): Promise<boolean> {
  return guest.everything(async () => {
    // Another tab did.
    if ((await guest.read("client")).id !== id) return true;
    const more = await guest.outbox.where("n").above(to).toArray();
    if (more.length > 0 && !anyway) return false;
    const clock = await guest.read("clock");
    for (const table of guest.tables) await table.clear();
    await guest.keep("clock", clock);
    await guest.keep("here", { ...NEW_HERE, stay: guest.stay });
    await guest.keep("client", newClient());
    await take(
      guest,
      more.map((row) => row.c),
    );
    return true;
  });
}

/** Up to which `n` the guest's edits have moved in; -1 if none has. */
async function movedTo(account: Database, id: string): Promise<number> {
  const moved = (await account.read("done")).find((one) => one.startsWith(`guest ${id} `));
  return Number(moved?.split(" ")[2] ?? -1);
}

async function nowMoved(account: Database, id: string, to: number): Promise<void> {
  const others = (await account.read("done")).filter((one) => !one.startsWith(`guest ${id} `));
  await account.keep("done", [...others, `guest ${id} ${to}`]);
}

/** Makes the account hold what the guest holds. Returns the `n` of the guest's last edit by then. */
async function replace(guest: Session, account: Session): Promise<number> {
  await account.caughtUp();
  const { local, to } = await guest.db.everything(async () => {
    const last = await guest.db.outbox.orderBy("n").last();
    return { local: await all(guest.db), to: last?.n ?? 0 };
  });
  const remote = await all(account.db);
  const edits: Edit[] = [];
  for (const { table, id } of remote.values())
    if (!local.has(`${table}\n${id}`)) edits.push({ table, id, op: "delete" });
  for (const [key, { table, id, data }] of local) {
    if (!remote.has(key)) edits.push({ table, id, op: "insert", data });
    else if (Object.keys(data).length > 0) edits.push({ table, id, op: "update", fields: data });
  }
  for (let at = 0; at < edits.length; at += EDITS_MAX)
    await account.write(edits.slice(at, at + EDITS_MAX));
  return to;
}

/** Every record that is shown. */
async function all(db: Database) {
  const records = new Map<string, { table: string; id: string; data: JsonObject }>();
  const { shown } = await db.read("here");
  for (const rows of [db.rows0, db.rows1]) {
    await rows.each(({ g, t, id, d }) => {
      if (g === shownGen(shown, t)) records.set(`${t}\n${id}`, { table: t, id, data: d });
    });
  }
  await db.own.each(({ t, id, d }) => {
    if (d) records.set(`${t}\n${id}`, { table: t, id, data: d });
    else records.delete(`${t}\n${id}`);
  });
  return records;
}
