/**
 * What becomes of a guest's data when the guest signs in. Each way can be broken off and repeated,
 * and other tabs of the guest may go on writing: what they write moves in too, or is a new guest's.
 */
import { format, OLDEST } from "./core/hlc.js";
import type { JsonObject } from "./core/json.js";
import { packed } from "./core/weight.js";
import { shownGen } from "./core/copy.js";
import { formersOf, inherit, leaveAlone } from "./storage/former.js";
import { NEW_HERE, newClient, WENT_MAX } from "./storage/database.js";
import type { Client, Database, Went } from "./storage/database.js";
import { lastMade, take, toChange, type Edit } from "./storage/outbox.js";
import { remains } from "./storage/remains.js";
import { stampEach } from "./storage/stamps.js";
import { settle } from "./storage/verdicts.js";
import { LONG_THERE, movedUpTo, moveUnsent, noteMoved } from "./storage/moving.js";
import { partSeeds } from "./storage/staying.js";
import type { Change } from "./core/wire.js";
import type { Session } from "./session.js";

/**
 * - `merge`: the guest's edits are made in the account, at the times they were made, but for seeds of
 *   which there is nothing of the guest's.
 * - `keep-server`: they are dropped.
 * - `keep-local`: the account then holds what the guest held, and nothing else.
 */
export type GuestChoice = "merge" | "keep-server" | "keep-local";

/** How often what another tab has written meanwhile is moved too, before it is left to a new guest. */
const PASSES_MAX = 5;

/** As long as stamps are. */
const LONGEST_STAMP = format({ ...OLDEST, counter: 0xffff });

export async function moveIn(guest: Session, account: Session, choice: GuestChoice): Promise<void> {
  const lost = await guest.db.read("lost");
  if (lost) await account.tellLost(lost);
  // What does not move into the account is given up.
  const left = await remains(guest.db);
  const { id } = left.client;
  if (choice === "keep-server") await leave(guest.db, id, null);
  else {
    await inheritAll(guest.db, account.db);
    const replaces = choice === "keep-local" && !hasMovedIn(left.client, account.db);
    if (replaces && (await movedUpTo(account.db, id)) < 0) await replace(guest, account, id);
    for (let pass = 1; ; pass++) {
      const upTo = await moveUnsent(guest.db, account.db, id, replaces ? undefined : partSeeds);
      const { asked: name, place, stay } = account.db;
      const went = { after: -Infinity, upTo, id, name, place, stay };
      if (await leave(guest.db, id, went, pass === PASSES_MAX)) break;
    }
  }
  guest.closeFor(account, left);
  account.wrote();
}

/**
 * Whether the account has been made like the guest before: by another tab, or in a sign-in that broke off.
 * What the guest is now is what came after, and adds to it.
 */
function hasMovedIn({ went = [] }: Client, account: Database): boolean {
  const isIn = ({ name, stay, isOver }: Went) =>
    name === account.asked && stay === account.stay && !isOver;
  return went.some(isIn);
}

/** What cannot be read now of the guest's is the account's when it can. */
async function inheritAll(guest: Database, account: Database): Promise<void> {
  const formers = await formersOf(guest);
  await account.everything(async () => {
    for (const former of formers) await inherit(account, former);
  });
}

/**
 * Makes the database a new guest's. Its mutations went into an account, or nowhere. What another tab
 * wrote after them is the new one's if `anyway`; else there must be no such thing. True if it is done.
 */
function leave(guest: Database, id: string, into: Went | null, anyway = false): Promise<boolean> {
  return guest.everything(async () => {
    const client = await guest.read("client");
    // Another tab did.
    if (client.id !== id) return true;
    const more = into ? await guest.outbox.where("n").above(into.upTo).toArray() : [];
    if (more.length > 0 && !anyway) return false;
    const clock = await guest.read("clock");
    const { ended = -Infinity, forgotten } = client;
    const last = Math.max(ended, await lastMade(guest));
    const went = [...(client.went ?? []), ...(into ? [{ ...into, after: ended }] : [])];
    for (const table of guest.tables) await table.clear();
    await guest.keep("clock", clock);
    await leaveAlone(guest);
    await guest.keep("here", { ...NEW_HERE, stay: guest.stay });
    await guest.keep("client", { ...newClient(last, went.slice(-WENT_MAX)), forgotten });
    const ns = await take(
      guest,
      more.map((row) => row.c),
    );
    const moved = more.map(
      (row, at) => ({ n: row.n as number, status: "moved", to: ns[at] }) as const,
    );
    await settle(guest, moved);
    return true;
  });
}

/**
 * Makes the account, which has everything the hub has, hold what the guest holds: all of it is written,
 * or nothing.
 */
async function replace(guest: Session, account: Session, id: string): Promise<void> {
  const held = await guest.db.everything(async () => {
    // Another tab was faster.
    if ((await guest.db.read("client")).id !== id) return null;
    const ns = await guest.db.outbox.orderBy("n").primaryKeys();
    return { local: await all(guest.db), ns };
  });
  if (!held) return;
  const { local, ns } = held;
  const { db, options } = account;
  const now = options.around.now();
  await db.everything(async () => {
    // Another tab was faster.
    if ((await movedUpTo(db, id)) >= 0) return;
    const { limits } = await db.read("here");
    let clock = await db.read("clock");
    const mutations: Change[][] = [];
    for (const edits of differences(await all(db), local))
      for (const some of packed(edits, (edit) => toChange(edit, LONGEST_STAMP), limits)) {
        const made = stampEach(clock, now, some, toChange);
        clock = made.clock;
        mutations.push(made.changes);
      }
    await db.keep("clock", clock);
    const to = (await take(db, mutations)).at(-1) ?? LONG_THERE;
    const [first, last = 0] = [ns[0], ns.at(-1)];
    // What the guest has written stands in the account with the last of these, or before any.
    const run = first !== undefined && { first, last, to, each: false };
    await noteMoved(db, id, last, run ? [run] : []);
  });
}

/**
 * Edits that make one like the other, in two parts: a delete of what the hub does not know any more is
 * refused, with what stands beside it.
 */
function differences(remote: Records, local: Records): [Edit[], Edit[]] {
  const deletes: Edit[] = [];
  const others: Edit[] = [];
  for (const [key, { table, id, data: theirs }] of remote) {
    const record = local.get(key);
    // A field is never removed, so a record that has more of them is made anew.
    const isMore = !record || Object.keys(theirs).some((name) => !Object.hasOwn(record.data, name));
    if (isMore) deletes.push({ table, id, op: "delete" });
    else if (Object.keys(record.data).length > 0)
      others.push({ table, id, op: "update", fields: record.data });
    if (record && !isMore) local.delete(key);
  }
  for (const { table, id, data } of local.values()) others.push({ table, id, op: "insert", data });
  return [deletes, others];
}

type Records = Map<string, { table: string; id: string; data: JsonObject }>;

/** Every record that is shown. */
async function all(db: Database): Promise<Records> {
  const records: Records = new Map();
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
