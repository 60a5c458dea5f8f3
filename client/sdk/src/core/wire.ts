/**
 * The native protocol's messages, as JSON text. Parsing checks what this device relies on, so
 * that the rest of the code can trust it; members of a newer hub are ignored.
 */
import { isLater } from "./hlc.js";
import { ProtocolError } from "./errors.js";
import type { Json, JsonObject } from "./json.js";

export const VERSION = 1;
export const SUBPROTOCOL = "syncline.v1";

/** What a device has applied. */
export interface Cursor {
  epoch: string;
  seq: number;
}

/** One change of a mutation, as it is sent. */
export type Change = { table: string; id: string } & (
  | { op: "insert"; insertedAt: string; data: JsonObject }
  | { op: "update"; fields: Record<string, { value: Json; updatedAt: string }> }
  | { op: "delete"; deletedAt: string }
);

export interface Mutation {
  m: number;
  /** `null` uses up the number of what the hub cannot take: it rejects that and goes on behind it. */
  changes: Change[] | null;
}

/** One change of the server's state: the whole record, or `null` where it is gone. */
export interface Entry {
  table: string;
  id: string;
  data: JsonObject | null;
  /** The newest stamp told with it; empty if none was. */
  at: string;
}

/** What a mutation is answered. `known`: its number had a verdict long ago, of whatever it was. */
export interface Result {
  m: number;
  status: "applied" | "superseded" | "rejected" | "known";
  seq: number | null;
  code: string;
  message: string;
}

export interface Limits {
  message_bytes: number;
  changes_per_push: number;
}

export interface Welcome {
  t: "welcome";
  epoch: string;
  head: number;
  now: string;
  /** The last number with a verdict; `undefined` where the transport does not tell. */
  acked?: number | null;
  /** `null` where the transport does not tell. */
  limits: Limits | null;
}
export interface Delta {
  t: "delta";
  from: number;
  to: number;
  more: boolean;
  changes: Entry[];
  /** The hub wants to know when it is applied, and may say which trace the commit is part of. */
  ack?: boolean;
  traceparent?: string;
}
export interface SnapshotPart {
  t: "snapshot";
  at: number;
  done: number;
  of: number | null;
  next: string | null;
  changes: Entry[];
}
export interface SnapshotEnd {
  t: "snapshot_end";
  at: number;
  count: number;
  sum: string;
  /** The history it is of; over a socket `welcome` or `reset` named it before. */
  epoch: string | null;
}
export interface Verdicts {
  t: "verdicts";
  now: string;
  results: Result[];
}
type ResetWhy = "epoch" | "gc" | "cursor" | "erased";
export interface Reset {
  t: "reset";
  why: ResetWhy;
  epoch: string | null;
}
export interface Refused {
  t: "error";
  code: string;
  message: string;
  retry: string;
  /** Of a `gap`: the last number the hub decided. */
  acked: number | null;
}

/** What the hub passes on and does not store. */
export type Ephemeral =
  | { t: "presence"; client: string; state: Json }
  | { t: "broadcast"; room: string; from: string; data: Json }
  | { t: "notice"; kind: string; data: Json };

/** What a device has the hub pass on. */
export type OwnEphemeral =
  { t: "presence"; state: Json } | { t: "broadcast"; room: string; data: Json };

/** Everything up to `seq` is applied. */
export interface Ack {
  t: "ack";
  seq: number;
}

export type HubMessage =
  | Ephemeral
  | Welcome
  | Delta
  | SnapshotPart
  | SnapshotEnd
  | Verdicts
  | Reset
  | Refused
  | { t: "auth_due"; in: number }
  | { t: "slow"; retry_ms: number }
  | { t: "reconnect"; after_ms: number }
  | { t: "pong" }
  | { t: "other" };

type Raw = Record<string, unknown>;

/** Reads one message. One of an unknown type is `other`. Throws `ProtocolError`. */
export function parseMessage(text: string): HubMessage {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new ProtocolError("a message is no JSON");
  }
  return readMessage(object(raw, "a message"));
}

function readMessage(raw: Raw): HubMessage {
  switch (raw["t"]) {
    case "welcome":
      return readWelcome(raw);
    case "delta":
      return readDelta(raw);
    case "snapshot":
      return readPart(raw);
    case "snapshot_end":
      return {
        t: "snapshot_end",
        at: count(raw, "at"),
        count: count(raw, "count"),
        sum: text(raw, "sum"),
        epoch: optional(raw, "epoch", text),
      };
    case "verdicts":
      return { t: "verdicts", now: text(raw, "now"), results: readResults(raw) };
    case "reset":
      return { t: "reset", why: readWhy(raw), epoch: optional(raw, "epoch", text) };
    case "error":
      return readRefused(raw);
    case "presence":
      return { t: "presence", client: text(raw, "client"), state: json(raw, "state") };
    case "broadcast": {
      const [room, from] = [text(raw, "room"), text(raw, "from")];
      return { t: "broadcast", room, from, data: json(raw, "data") };
    }
    case "notice":
      return { t: "notice", kind: text(raw, "kind"), data: json(raw, "data") };
    case "auth_due":
      return { t: "auth_due", in: count(raw, "in") };
    case "slow":
      return { t: "slow", retry_ms: count(raw, "retry_ms") };
    case "reconnect":
      return { t: "reconnect", after_ms: count(raw, "after_ms") };
    case "pong":
      return { t: "pong" };
    default:
      return { t: "other" };
  }
}

function readWelcome(raw: Raw): Welcome {
  const limits = object(raw["limits"], "limits");
  return {
    t: "welcome",
    epoch: text(raw, "epoch"),
    head: count(raw, "head"),
    now: text(raw, "now"),
    acked: optional(raw, "acked", count),
    limits: {
      message_bytes: count(limits, "message_bytes"),
      changes_per_push: count(limits, "changes_per_push"),
    },
  };
}

export function readDelta(raw: Raw): Delta {
  const { ack, traceparent } = raw;
  return {
    t: "delta",
    from: count(raw, "from"),
    to: count(raw, "to"),
    more: raw["more"] === true,
    changes: list(raw, "changes").map(readEntry),
    ...(ack === true && { ack }),
    ...(typeof traceparent === "string" && { traceparent }),
  };
}

export function readPart(raw: Raw): SnapshotPart {
  return {
    t: "snapshot",
    at: count(raw, "at"),
    done: count(raw, "done"),
    of: optional(raw, "of", count),
    next: optional(raw, "next", text),
    changes: list(raw, "changes").map(readEntry),
  };
}

export function readResults(raw: Raw): Result[] {
  return list(raw, "results").map((item) => {
    const result = object(item, "a result");
    const status = text(result, "status");
    if (!["applied", "superseded", "rejected", "known"].includes(status))
      throw new ProtocolError(`status ${status} is unknown`);
    // What changes nothing and lost to nobody stands at the hub as it was written.
    const isThere = status === "superseded" && !optional(result, "winners", list)?.length;
    return {
      m: count(result, "m"),
      status: isThere ? "applied" : (status as Result["status"]),
      seq: optional(result, "seq", count),
      code: optional(result, "code", text) ?? "",
      message: optional(result, "message", text) ?? "",
    };
  });
}

/** An error's body, on a socket and over HTTP. */
export function readRefused(raw: Raw): Refused {
  return {
    t: "error",
    code: text(raw, "code"),
    message: optional(raw, "message", text) ?? "",
    retry: optional(raw, "retry", text) ?? "after",
    acked: optional(raw, "acked", count),
  };
}

export function readWhy(raw: Raw): ResetWhy {
  const why = raw["why"];
  // A reason of a newer hub: the cursor is of no use, and nothing more is known.
  return why === "epoch" || why === "gc" || why === "erased" ? why : "cursor";
}

function readEntry(item: unknown): Entry {
  const raw = object(item, "a change");
  const [table, id, op] = [text(raw, "table"), text(raw, "id"), text(raw, "op")];
  if (op === "delete") return { table, id, data: null, at: optional(raw, "deletedAt", text) ?? "" };
  let at = optional(raw, "insertedAt", text) ?? "";
  for (const write of Object.values((raw["fields"] as object | undefined) ?? {})) {
    const written = text(object(write, "a field"), "updatedAt");
    if (isLater(written, at)) at = written;
  }
  return { table, id, data: object(raw["data"], "data") as JsonObject, at };
}

export function object(value: unknown, what: string): Raw {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ProtocolError(`${what} is no object`);
  return value as Raw;
}

export function text(raw: Raw, name: string): string {
  const value = raw[name];
  if (typeof value !== "string") throw new ProtocolError(`${name} is no text`);
  return value;
}

/** Any value; what is missing is `null`. */
function json(raw: Raw, name: string): Json {
  return (raw[name] ?? null) as Json;
}

export function count(raw: Raw, name: string): number {
  const value = raw[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new ProtocolError(`${name} is no count`);
  return value as number;
}

function optional<T>(raw: Raw, name: string, read: (raw: Raw, name: string) => T): T | null {
  return raw[name] === undefined || raw[name] === null ? null : read(raw, name);
}

function list(raw: Raw, name: string): unknown[] {
  const value = raw[name];
  if (!Array.isArray(value)) throw new ProtocolError(`${name} is no list`);
  return value;
}
