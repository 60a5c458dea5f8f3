/**
 * A connection to the hub, whatever carries it. It speaks in the messages of `core/wire`, so what
 * is above does not know whether it is a socket or polling.
 */
import { ProtocolError } from "../core/errors.js";
import type { Ack, HubMessage, Mutation, OwnEphemeral } from "../core/wire.js";
import type { Position } from "../core/position.js";

/** Why a link ended, by what to do about it. */
export type Ended =
  /**
   * The network, or the hub went: come back with full jitter, or after so many milliseconds. `slow`: the
   * hub waited too long for this device.
   */
  | { is: "lost"; after?: number; slow?: boolean; code?: string; message?: string }
  /** A fresh token is needed. */
  | { is: "auth"; code: string; message: string }
  /** The hub will say the same again: app unknown, forbidden, too old. */
  | { is: "refused"; code: string; message: string }
  /** Another link said hello with this one's id. */
  | { is: "replaced" };

/** What a link calls. */
export interface LinkEvents {
  /** A message came. The next one is given when the promise is settled. */
  message(message: HubMessage): Promise<void>;
  /** It is over; called once, unless it was closed from this side. */
  ended(why: Ended): void;
}

export interface Link {
  /** `traceparent`: the trace it is part of. */
  push(muts: Mutation[], traceparent?: string): void;
  /** Has it passed on; over HTTP nobody is told. */
  tell(message: OwnEphemeral | Ack): void;
  /** A fresh token for the same account. */
  auth(token: string): void;
  /** Looks for news now. False of a socket, which tells them by itself. */
  poll(): boolean;
  close(): void;
}

/** How a device says hello. */
export interface Hello {
  app: string;
  client: string;
  token: string;
  /** The last number with a verdict; 0 if there is none. */
  confirmed: number;
  /** The first history this id was told of: a hub that erased everything since tells it so. */
  epoch: string | null;
  tables: string[] | null;
  position: Position;
}

/** What a link needs of its surroundings. */
export interface Network {
  WebSocket?: typeof WebSocket;
  fetch: typeof fetch;
}

/** Close codes of the hub that mean something to do. */
export const CLOSE = { auth: 4001, forbidden: 4003, slow: 4008, replaced: 4009 };

/** A line that carries less than these bytes in a millisecond is as good as none, to the hub too. */
export const LEAST_BYTES_PER_MS = 4;

/** What ended a link on this side: told, if what answered speaks no protocol of a hub. */
export function endedByFault(error: unknown): Ended {
  if (!(error instanceof ProtocolError)) return { is: "lost" };
  return { is: "lost", code: "protocol", message: error.message };
}

/** A refusal by its retry class. */
export function endedBy(code: string, message: string, retry: string): Ended {
  if (retry === "reauth") return { is: "auth", code, message };
  if (retry === "never" || retry === "upgrade") return { is: "refused", code, message };
  return { is: "lost" };
}
