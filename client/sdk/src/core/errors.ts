/** Errors an app can meet. What to do about one is told by its `code`, which never changes meaning. */

/** What this device refuses or fails in. */
export type DeviceErrorCode =
  /** An update of a record that is not here, or no such rejected write. */
  | "record_missing"
  /** An insert of an id that is taken. */
  | "record_exists"
  /** The collection's schema refused the record; `cause` is what it threw. */
  | "schema_invalid"
  /** A value that is not JSON. */
  | "value_invalid"
  /** A text with a NUL character, which no database takes. */
  | "nul_in_string"
  /** Lists and objects within each other deeper than 32 levels. */
  | "json_too_deep"
  /** The collection was not given to the store. */
  | "collection_unknown"
  /** Two collections of one store have the same name. */
  | "collection_duplicate"
  /** The collection was given to another store, which is not closed. */
  | "collection_taken"
  /** More bytes or changes than the hub takes at once: split the write. */
  | "mutation_too_large"
  /** A presence or a broadcast of more bytes than the hub passes on. */
  | "ephemeral_too_large"
  /** The browser gives no more room. Nothing was written. */
  | "quota"
  /** The database failed; `cause` says how. */
  | "storage"
  /** The browser evicted the database or cannot read it; unsent edits in it are not here. */
  | "storage_lost"
  /** What answers at the hub's address does not speak as a hub does. */
  | "protocol"
  /** The app gave no token. */
  | "token_missing"
  /** The app's token function threw something else than `fetch` without a network. */
  | "token_failed"
  /** The app gave another account's token. */
  | "account_mismatch"
  /** Signing out would have left unsent edits behind, and they could not be sent. */
  | "unsynced"
  /** What must wait for the hub did so in vain. */
  | "unreachable"
  /** This browser, or this page of it, has no Web Push. */
  | "push_unsupported"
  /** The user allows no notifications. */
  | "push_denied"
  /** The hub sends no Web Push, or the browser's push service gives no subscription. */
  | "push_unavailable"
  /** Somebody is signed in: sign out before signing in as somebody else. */
  | "signed_in"
  /** The account was signed out, here or in another tab; nothing was written. */
  | "signed_out"
  /** The store was closed, the wait was ended by signing out, or the write was discarded. */
  | "stopped";

/** A code of this device, or one of the hub such as `forbidden` or `record_too_large`. */
export type ErrorCode = DeviceErrorCode | (string & {});

export class SynclineError extends Error {
  override readonly name: string = "SynclineError";

  constructor(
    /** Stable, for programs. */
    readonly code: ErrorCode,
    /** For people. */
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What is asked of a store that was closed, or waits for it when it is. */
export function closed(cause?: unknown): SynclineError {
  return new SynclineError("stopped", "the store was closed", { cause });
}

/** The hub judged a write and refused it for good. It waits in `store.rejected`. */
export class RejectedError extends SynclineError {
  override readonly name = "RejectedError";

  constructor(
    code: string,
    message: string,
    /** Its place in `store.rejected`. */
    readonly id: number,
  ) {
    super(code, message);
  }
}

/** The hub said something that cannot follow from what it said before. The connection is given up. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
