/** What becomes of a guest's data when the guest signs in. Each way can be broken off and repeated. */
import type { JsonObject } from "./core/json";
import { shownGen } from "./core/replica";
import type { Database } from "./storage/database";
import { take, type Edit } from "./storage/outbox";
import type { Session } from "./session";

/**
 * - `merge`: the guest's edits are made in the account, at the times they were made.
 * - `keep-server`: they are dropped.
 * - `keep-local`: the account then holds what the guest held, and nothing else.
 */
export type GuestChoice = "merge" | "keep-server" | "keep-local";

/** Edits of one mutation while an account is made like a guest. */
const EDITS_MAX = 200;

export async function moveIn(guest: Session, account: Session, choice: GuestChoice): Promise<void> {
  const { id } = await guest.db.read("client");
  const key = `guest ${id}`;
  // Done before, when only the deleting of the guest was missed.
  if (!(await account.db.read("done")).includes(key)) {
    if (choice === "keep-local") await replace(guest, account);
    // Read before: a transaction cannot wait for another database.
    const edits = choice === "merge" ? await editsOf(guest.db) : [];
    await account.db.everything(async () => {
      for (const changes of edits) await take(account.db, changes);
      await account.db.keep("done", [...(await account.db.read("done")), key]);
    });
  }
  await guest.delete();
  account.wrote();
}

async function editsOf(db: Database) {
  return (await db.outbox.orderBy("n").toArray()).map((row) => row.c);
}

async function replace(guest: Session, account: Session): Promise<void> {
  await account.caughtUp();
  const [local, remote] = [await all(guest.db), await all(account.db)];
  const edits: Edit[] = [];
  for (const { table, id } of remote.values())
    if (!local.has(`${table}\n${id}`)) edits.push({ table, id, op: "delete" });
  for (const [key, { table, id, data }] of local) {
    if (!remote.has(key)) edits.push({ table, id, op: "insert", data });
    else if (Object.keys(data).length > 0) edits.push({ table, id, op: "update", fields: data });
  }
  for (let at = 0; at < edits.length; at += EDITS_MAX)
    await account.write(edits.slice(at, at + EDITS_MAX));
}

/** Every record that is shown. */
async function all(db: Database) {
  const records = new Map<string, { table: string; id: string; data: JsonObject }>();
  const replica = await db.read("replica");
  await db.rows.each(({ g, t, id, d }) => {
    if (g === shownGen(replica, t)) records.set(`${t}\n${id}`, { table: t, id, data: d });
  });
  await db.own.each(({ t, id, d }) => {
    if (d) records.set(`${t}\n${id}`, { table: t, id, data: d });
    else records.delete(`${t}\n${id}`);
  });
  return records;
}
