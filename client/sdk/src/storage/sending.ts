/**
 * Own mutations on their way: numbered, pushed, decided, given up. What a verdict means is in
 * `core/outbox`. What happens to every mutation touches no table that callers write to, so that
 * they do not wait for it; `everything` is for what happens to few.
 */
import { fits, weigh } from "../core/weight.js";
import { IN_FLIGHT_MAX, outcome, PUSH_MAX, pushLength } from "../core/outbox.js";
import type { Change, Limits, Mutation, Result } from "../core/wire.js";
import { newClient, nextSendingVersion, recordKey } from "./database.js";
import type { Client, Database, OutboxRow, SentRow, SettledRow } from "./database.js";
import type { Lead } from "./lead.js";
import { isPart, partsOf, wholeOf } from "./parts.js";
import { reshow } from "./shown.js";
import { settle } from "./verdicts.js";

/** A push. `more`: another one may follow. */
interface Push {
  muts: Mutation[];
  more: boolean;
}

/** Which push is asked for. */
interface Asked {
  /** The number after which it begins. */
  after: number;
  /** Mutations of it, at most. */
  most?: number;
  /** By this device's clock. */
  now: number;
}

/** What a push can be made of. */
interface Waiting {
  client: Client;
  limits: Limits;
  /** Numbered and without a verdict, in the order of their numbers, and never sent, as made. */
  numbered: { m: number; row: OutboxRow }[];
  fresh: OutboxRow[];
}

/**
 * The next push: mutations in order. New ones get their numbers here, for good. What this hub can never
 * take is set aside for the user. None while something is to be offered back.
 */
export async function nextPush(
  db: Database,
  lead: Lead,
  { after, most = PUSH_MAX, now }: Asked,
): Promise<Push> {
  for (;;) {
    const waiting = await db.transaction("r", [db.outbox, db.sent, db.local, db.meta], async () =>
      whatWaits(db, after),
    );
    if (!waiting) return { muts: [], more: false };
    const tooLarge = waiting.fresh.filter((row) => !fits(weigh(row.c), waiting.limits));
    if (tooLarge.length > 0) {
      await lead.everything(async () => {
        for (const row of tooLarge) await rejectTooLarge(db, row, now);
      });
    } else if (
      waiting.fresh.length === 0 ||
      (await lead.over([db.sent], () => number(db, waiting)))
    ) {
      return pushOf(waiting, most);
    }
  }
}

async function whatWaits(db: Database, after: number): Promise<Waiting | null> {
  const [{ offers }, { limits }, client, sent] = await Promise.all([
    db.read("replica"),
    db.read("here"),
    db.read("client"),
    db.sent.toArray(),
  ]);
  if (offers) return null;
  const undecided = sent.filter((row) => row.seq === undefined);
  const resent = undecided.filter((row) => row.m > after).sort((a, b) => a.m - b.m);
  const first = db.outbox.orderBy("n").limit(sent.length + IN_FLIGHT_MAX);
  const known = new Set(sent.map((row) => row.n));
  const unsent = (await first.primaryKeys())
    .filter((n) => !known.has(n))
    .slice(0, Math.max(0, IN_FLIGHT_MAX - undecided.length));
  const rows = await db.outbox.bulkGet([...resent.map((row) => row.n), ...unsent]);
  const numbered = resent.flatMap(({ m }, at) => {
    const row = rows[at];
    return row ? [{ m, row }] : [];
  });
  const fresh = rows.slice(resent.length).flatMap((row) => row ?? []);
  return { client, limits, numbered, fresh };
}

/** Gives numbers to what has none. False if what was to be sent is another by now. */
async function number(db: Database, { client, numbered, fresh }: Waiting): Promise<boolean> {
  const now = await db.read("client");
  if (now.id !== client.id || now.sendingVersion !== client.sendingVersion) return false;
  const rows = fresh.map((row): SentRow => {
    numbered.push({ m: ++now.last, row });
    return { n: row.n as number, m: now.last, w: row.w };
  });
  await Promise.all([db.sent.bulkAdd(rows), db.keep("client", now)]);
  return true;
}

function pushOf({ numbered, limits }: Waiting, most: number): Push {
  // A limit may have been lowered since a mutation got its number, which must be used all the same.
  const sent = numbered.map(({ m, row }): Mutation => {
    return { m, changes: fits(weigh(row.c), limits) ? row.c : null };
  });
  const weights = sent.map(({ changes }) => weigh(changes ?? []));
  const muts = sent.slice(0, pushLength(weights, limits, most));
  return { muts, more: muts.length < sent.length };
}

/** What verdicts lead to. */
interface Decided {
  /** This client's numbers are of no use any more: what else was decided is asked again. */
  renumbers: boolean;
  /** The copy shows some of it by itself: see `dropPassed`. */
  passes: boolean;
}

/** Takes verdicts, over `sent`, `settled` and `meta`; over everything if there is a rejected one. */
export async function decide(db: Database, results: Result[], now: number): Promise<Decided> {
  const numbers = results.map(({ m }) => m);
  const [client, { cursor, complete }, rows] = await Promise.all([
    db.read("client"),
    db.read("replica"),
    db.sent.where("m").anyOf(numbers).toArray(),
  ]);
  for (const { seq } of results) client.head = Math.max(client.head, seq ?? 0);
  const decided: SentRow[] = [];
  const settled: SettledRow[] = [];
  const wholes = new Set<number>();
  for (const result of results) {
    const row = rows.find(({ m, seq }) => m === result.m && seq === undefined);
    if (!row) continue;
    const made = result.status === "rejected" ? await db.outbox.get(row.n) : undefined;
    const becomes = outcome(result, client.head, made?.c);
    if (becomes.is === "renumber") return { renumbers: true, passes: false };
    client.confirmed = Math.max(client.confirmed, row.m);
    if (becomes.is !== "parted" && !isPart(row.n)) wholes.add(row.n);
    if (becomes.is === "rejected") {
      if (made) await reject(db, made, becomes.code, becomes.message, now);
    } else if (becomes.is === "parted") {
      if (made) await partAll(db, made);
    } else {
      decided.push({ ...row, seq: becomes.seq });
      if (becomes.status !== "applied" || isPart(row.n))
        settled.push({ n: row.n, status: becomes.status });
    }
  }
  await Promise.all([db.sent.bulkPut(decided), db.keep("client", client)]);
  // It keeps of the client what it forgets.
  await settle(db, await together(db, settled));
  await forgetParts(db, wholes);
  const isPassed = ({ seq }: SentRow) => cursor !== null && complete && (seq ?? 0) <= cursor.seq;
  return { renumbers: false, passes: decided.some(isPassed) };
}

/** Of what is decided as a whole nobody asks for its parts any more. Over `settled`. */
async function forgetParts(db: Database, wholes: ReadonlySet<number>): Promise<void> {
  if (wholes.size === 0) return;
  const [first, last] = [Math.min(...wholes), Math.max(...wholes)];
  const near = await db.settled
    .where("n")
    .between(first - 1, last)
    .primaryKeys();
  const parts = near.filter((n) => isPart(n) && wholes.has(wholeOf(n)));
  if (parts.length > 0) await db.settled.bulkDelete(parts);
}

/** What the copy at `seq` shows by itself leaves the outbox. Returns what it changed. Over everything. */
export async function leavePassed(db: Database, seq: number): Promise<Change[]> {
  const passed = await db.sent.where("seq").belowOrEqual(seq).primaryKeys();
  if (passed.length === 0) return [];
  const rows = await db.outbox.bulkGet(passed);
  await Promise.all([db.outbox.bulkDelete(passed), db.sent.bulkDelete(passed)]);
  return rows.flatMap((row) => row?.c ?? []);
}

/** The same, if the copy is complete, and shows what is left. Over everything. */
export async function dropPassed(db: Database): Promise<void> {
  const { cursor, complete } = await db.read("replica");
  if (cursor && complete) await reshow(db, await leavePassed(db, cursor.seq));
}

/** What is `superseded` is so with all its parts. */
async function together(db: Database, settled: SettledRow[]): Promise<SettledRow[]> {
  const lost = settled.filter(({ n, status }) => status === "superseded" && !isPart(n));
  const before = await Promise.all(lost.map(({ n }) => partsOf(db.settled, n).toArray()));
  const parts = [...before.flat(), ...settled.filter(({ n }) => isPart(n))];
  const applied = new Set(
    parts.filter(({ status }) => status === "applied").map(({ n }) => wholeOf(n)),
  );
  return settled.filter(({ n }) => isPart(n) || !applied.has(n));
}

/**
 * Makes a mutation of each of its changes, in its place: see `parts`. Who waits for it waits for the last,
 * and hears of all.
 */
async function partAll(db: Database, row: OutboxRow): Promise<void> {
  const n = row.n as number;
  const count = row.c.length;
  const parts = row.c.map((one, at): OutboxRow => {
    return { ...row, n: n - (count - 1 - at) / count, c: [one], k: [recordKey(one.table, one.id)] };
  });
  await Promise.all([db.outbox.bulkPut(parts), db.sent.delete(n)]);
}

async function reject(db: Database, row: OutboxRow, code: string, message: string, now: number) {
  const { limits } = await db.read("here");
  if (fits(weigh(row.c), limits)) await setAside(db, row, code, message, now);
  else await rejectTooLarge(db, row, now);
}

async function setAside(db: Database, row: OutboxRow, code: string, message: string, now: number) {
  const n = row.n as number;
  await Promise.all([
    db.rejected.put({ n, c: row.c, code, message, at: now }),
    db.outbox.delete(n),
    db.sent.delete(n),
  ]);
  await reshow(db, row.c);
}

function rejectTooLarge(db: Database, row: OutboxRow, now: number): Promise<void> {
  return setAside(db, row, "mutation_too_large", "more than this hub takes at once", now);
}

/**
 * The history in which mutations were decided is not the hub's any more: those the copy does not
 * show by itself are made again.
 */
export async function forgetDecided(db: Database): Promise<void> {
  const client = await db.read("client");
  await Promise.all([
    db.sent.where("seq").aboveOrEqual(0).delete(),
    db.keep("client", { ...client, head: 0, sendingVersion: nextSendingVersion(client) }),
  ]);
}

/** Takes another client id. Everything without effect is numbered from 1 under it. */
export async function renumber(db: Database): Promise<Client> {
  const { ended, forgotten } = await db.read("client");
  const client = { ...newClient(ended), forgotten };
  await Promise.all([db.sent.clear(), db.keep("client", client)]);
  return client;
}
