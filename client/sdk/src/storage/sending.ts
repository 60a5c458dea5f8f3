/**
 * Own mutations on their way: numbered, pushed, decided, given up. What a verdict means is in
 * `core/outbox`. All functions run inside a transaction over everything.
 */
import { fits, IN_FLIGHT_MAX, outcome, pushLength, weigh } from "../core/outbox";
import type { Mutation, Result } from "../core/wire";
import { byOrder, isUndecided, newClient, SETTLED_MAX } from "./database";
import type { Client, Database, OutboxRow, SettledRow } from "./database";
import { reshow } from "./shown";

/**
 * The next push: mutations after number `after`, in order. New ones get their numbers here, for
 * good. What this hub can never take is set aside for the user. None while something is to be
 * offered back. `more`: another push may follow.
 */
export async function nextPush(
  db: Database,
  after: number,
  now: number,
): Promise<{ muts: Mutation[]; more: boolean }> {
  if ((await db.read("replica")).offers) return { muts: [], more: false };
  const limits = await db.read("limits");
  const client = await db.read("client");
  let inFlight = await db.outbox.where("m").above(0).filter(isUndecided).count();
  const isNew = (row: OutboxRow) => row.m === undefined;
  const fresh = await db.outbox.where("p").equals(1).filter(isNew).limit(IN_FLIGHT_MAX).toArray();
  for (const row of fresh.sort(byOrder)) {
    if (inFlight >= IN_FLIGHT_MAX) break;
    if (!fits(weigh(row.c), limits)) {
      await rejectTooLarge(db, row, now);
      continue;
    }
    await db.outbox.update(row.n as number, { m: ++client.last });
    inFlight++;
  }
  await db.keep("client", client);
  const waiting = await db.outbox
    .where("m")
    .above(after)
    .filter(isUndecided)
    .limit(IN_FLIGHT_MAX)
    .sortBy("m");
  // A limit may have been lowered since a mutation got its number, which must be used all the same.
  const sent = waiting.map((row): Mutation => {
    const changes = fits(weigh(row.c), limits) ? row.c : null;
    return { m: row.m as number, changes };
  });
  const weights = sent.map(({ changes }) => weigh(changes ?? []));
  const muts = sent.slice(0, pushLength(weights, limits));
  return { muts, more: muts.length < sent.length };
}

/** Takes verdicts. True if this client's numbers are of no use any more. */
export async function decide(db: Database, results: Result[], now: number): Promise<boolean> {
  const client = await db.read("client");
  const limits = await db.read("limits");
  for (const result of results) client.head = Math.max(client.head, result.seq ?? 0);
  for (const result of results) {
    const row = await db.outbox.where("m").equals(result.m).first();
    if (row?.p !== 1) continue;
    const becomes = outcome(result, client.head);
    if (becomes.is === "renumber") return true;
    client.confirmed = Math.max(client.confirmed, result.m);
    if (becomes.is === "rejected") {
      if (fits(weigh(row.c), limits)) await reject(db, row, becomes.code, becomes.message, now);
      else await rejectTooLarge(db, row, now);
      continue;
    }
    await db.outbox.put({ ...withoutVerdictDue(row), seq: becomes.seq });
    await settle(db, { n: row.n as number, status: becomes.status });
  }
  await db.keep("client", client);
  await passed(db);
  return false;
}

function withoutVerdictDue(row: OutboxRow): OutboxRow {
  const { p: _, ...rest } = row;
  return rest;
}

/** What the copy shows by itself leaves the outbox. */
export async function passed(db: Database): Promise<void> {
  const { cursor, complete } = await db.read("replica");
  if (!cursor || !complete) return;
  const rows = await db.outbox.where("seq").belowOrEqual(cursor.seq).toArray();
  if (rows.length === 0) return;
  await db.outbox.bulkDelete(rows.map((row) => row.n as number));
  await reshow(
    db,
    rows.flatMap((row) => row.c),
  );
}

async function reject(db: Database, row: OutboxRow, code: string, message: string, now: number) {
  const n = row.n as number;
  await db.rejected.put({ n, c: row.c, code, message, at: now });
  await db.outbox.delete(n);
  await reshow(db, row.c);
}

function rejectTooLarge(db: Database, row: OutboxRow, now: number): Promise<void> {
  return reject(db, row, "mutation_too_large", "more than this hub takes at once", now);
}

async function settle(db: Database, settled: SettledRow): Promise<void> {
  await db.settled.put(settled);
  if ((await db.settled.count()) > SETTLED_MAX) {
    const oldest = await db.settled.orderBy("n").first();
    if (oldest) await db.settled.delete(oldest.n);
  }
}

/**
 * The history in which mutations were decided is not the hub's any more: those the copy does not
 * show by itself are made again.
 */
export async function historyLost(db: Database): Promise<void> {
  for (const row of await db.outbox.where("seq").aboveOrEqual(0).toArray()) {
    const { seq: _, m: __, ...again } = row;
    await db.outbox.put({ ...again, p: 1 });
  }
  await db.keep("client", { ...(await db.read("client")), head: 0 });
}

/** Takes another client id. Everything without effect is numbered from 1 under it. */
export async function renumber(db: Database): Promise<Client> {
  await historyLost(db);
  for (const row of await db.outbox.where("m").above(0).toArray()) {
    const { m: _, ...again } = row;
    await db.outbox.put(again);
  }
  const client = newClient();
  await db.keep("client", client);
  return client;
}
