/**
 * The rules of a device's copy of the space: what a message from the hub does to it. Pure: a step
 * takes the state and a message and says which rows to write; `storage/incoming` writes them in
 * the same transaction as the state.
 */
import { ProtocolError } from "./errors.js";
import { recordSum } from "./sum.js";
import type { Fill, Replica } from "./copy.js";
import { target } from "./position.js";
import { isLater } from "./hlc.js";
import type { Delta, Entry, HubMessage, Reset, SnapshotEnd, SnapshotPart } from "./wire.js";

/** What a step asks to be written. */
export interface Step {
  replica: Replica;
  /** Into the generation of their table that `target` names. */
  rows: Entry[];
  /** To be kept aside until the copy is complete. */
  stage: Entry[];
  /** The copy is complete: what is aside takes effect, and `replica` tells what is shown. */
  completes: boolean;
  /** All data and all own mutations go. */
  erases: boolean;
  /** What was decided may be lost with the history it was decided in. */
  losesHistory: boolean;
}

/** Whether what is held is of another history than `epoch`; of a snapshot under way nobody knows. */
export function mayStandElsewhere({ cursor, fill }: Replica, epoch: string): boolean {
  return cursor ? cursor.epoch !== epoch : (fill?.next ?? null) !== null;
}

/** The app asks for these tables from now on, `null` being all. */
export function want(replica: Replica, tables: string[] | null): Step {
  const same = JSON.stringify(tables) === JSON.stringify(replica.tables);
  if (same) return nothing(replica);
  const wanted = { ...replica, tables };
  if (!replica.cursor) return begin(wanted, null);
  if (replica.tables === null) return nothing(wanted);
  const missing = tables?.filter((table) => !replica.tables?.includes(table));
  // From some tables to all, or while another snapshot runs: there is no list of what is missing.
  if (!missing || replica.fill) return begin({ ...wanted, cursor: null }, null);
  return missing.length > 0 ? begin(wanted, missing) : nothing(wanted);
}

/** The hub said hello: of which history, and how far that is. What lies between will be told. */
export function welcome(replica: Replica, epoch: string, head: number): Step {
  if (!replica.cursor) return replica.fill ? nothing(replica) : begin(replica, null);
  const { cursor, fill } = replica;
  // Nothing is missing, so nothing will be told, also if the last connection broke before it said so.
  const isAtHead = cursor.epoch === epoch && cursor.seq === head;
  if (isAtHead && !replica.complete && (!fill || fill.ended)) return complete(nothing(replica));
  // A reset will follow what cannot be; else one that was expected is not needed any more.
  const isReset = cursor.epoch !== epoch || cursor.seq > head;
  const isTakenAnew = fill !== null && fill.tables === null;
  const offers = isReset || (isTakenAnew && replica.offers);
  return nothing({ ...replica, complete: replica.complete && isAtHead, offers });
}

/** A message that is about the copy; others do nothing. `epoch` is the history the hub speaks of. */
export function receive(replica: Replica, message: HubMessage, epoch: string | null): Step {
  switch (message.t) {
    case "snapshot":
      return part(replica, message);
    case "snapshot_end":
      return end(replica, message, message.epoch ?? epoch);
    case "delta":
      return delta(replica, message);
    case "reset":
      return reset(replica, message);
    default:
      return nothing(replica);
  }
}

/** Everything is taken anew, under whatever history the hub has. */
export function restart(replica: Replica, offers: boolean): Step {
  const step = begin({ ...replica, cursor: null, offers: replica.offers || offers }, null);
  return { ...step, losesHistory: true };
}

function begin(replica: Replica, tables: string[] | null): Step {
  const drop = replica.fill ? [...replica.drop, replica.fill.gen] : replica.drop;
  const { base, fresh } = replica;
  const gen = fresh + ((fresh - base) % 2 === 0 ? 1 : 2);
  const fill: Fill = {
    gen,
    tables,
    ended: false,
    next: null,
    at: null,
    count: 0,
    sum: 0,
    of: null,
    latest: "",
  };
  return nothing({ ...replica, fill, fresh: gen, drop, complete: false });
}

function part(replica: Replica, message: SnapshotPart): Step {
  const { fill } = replica;
  if (!fill || fill.ended) throw new ProtocolError("a part of no snapshot");
  if (fill.at !== null && fill.at !== message.at)
    throw new ProtocolError(`a snapshot began at ${fill.at} and goes on at ${message.at}`);
  let { sum, count, latest } = fill;
  for (const entry of message.changes) {
    if (!entry.data) throw new ProtocolError("a snapshot holds a delete");
    sum = (sum + recordSum(entry.table, entry.id, entry.data)) >>> 0;
    if (isLater(entry.at, latest)) latest = entry.at;
    count++;
  }
  const { at, next, of } = message;
  const filled = { ...fill, at, next, of, count, sum, latest };
  return { ...nothing({ ...replica, fill: filled }), rows: wanted(replica, message.changes) };
}

function end(replica: Replica, message: SnapshotEnd, epoch: string | null): Step {
  const { fill } = replica;
  if (!fill || fill.ended) throw new ProtocolError("an end of no snapshot");
  const sum = fill.sum.toString(16).padStart(8, "0");
  if (fill.count !== message.count || sum !== message.sum)
    throw new ProtocolError(
      `a snapshot of ${message.count} records, sum ${message.sum}, came as ${fill.count}, ${sum}`,
    );
  const ended = { ...replica, fill: { ...fill, ended: true, next: null } };
  if (fill.tables) return nothing(ended);
  if (epoch === null) throw new ProtocolError("a snapshot of no history");
  return nothing({ ...ended, cursor: { epoch, seq: message.at } });
}

function delta(replica: Replica, message: Delta): Step {
  const { cursor, fill } = replica;
  if (!cursor || (fill && !fill.ended)) throw new ProtocolError("a delta before a snapshot's end");
  if (message.from !== cursor.seq || message.to < message.from)
    throw new ProtocolError(`at ${cursor.seq}, a delta from ${message.from} to ${message.to}`);
  const changes = wanted(replica, message.changes);
  const moved = { ...replica, cursor: { ...cursor, seq: message.to }, complete: false };
  const isNew = (entry: Entry) => target(replica, entry.table) !== null;
  const rows = changes.filter(isNew);
  const stage = changes.filter((entry) => !isNew(entry));
  const step = { ...nothing(moved), rows, stage };
  if (message.more) {
    return { ...step, replica: { ...moved, staged: replica.staged || stage.length > 0 } };
  }
  return complete(step);
}

function reset(replica: Replica, message: Reset): Step {
  const step = restart(replica, message.why === "epoch");
  if (message.why !== "erased") return step;
  return { ...step, replica: { ...step.replica, offers: false }, erases: true };
}

/** Everything told so far may be shown. */
function complete(step: Step): Step {
  const { fill } = step.replica;
  const done = { ...step.replica, complete: true, staged: false, fill: null, offers: false };
  if (!fill) return { ...step, replica: done, completes: true };
  if (fill.tables) {
    const ahead = { ...done.ahead };
    for (const table of fill.tables) ahead[table] = fill.gen;
    const used = Object.values(ahead);
    const unused = Object.values(done.ahead).filter((gen) => !used.includes(gen));
    const drop = [...done.drop, ...unused];
    return { ...step, replica: { ...done, ahead, drop }, completes: true };
  }
  const drop = [...done.drop, done.base, ...Object.values(done.ahead)];
  const replica = { ...done, base: fill.gen, ahead: {}, drop };
  return { ...step, replica, completes: true };
}

/** Over HTTP a hub tells of all tables. */
function wanted(replica: Replica, changes: Entry[]): Entry[] {
  const { tables } = replica;
  return tables ? changes.filter((entry) => tables.includes(entry.table)) : changes;
}

function nothing(replica: Replica): Step {
  const unchanged = { rows: [], stage: [], completes: false };
  return { ...unchanged, replica, erases: false, losesHistory: false };
}
