/** Errors an app can meet. What to do about one is told by its `code`, which never changes meaning. */

/**
 * Codes of this device. Besides them an error carries the codes of the hub, such as `forbidden`
 * or `record_too_large`.
 *
 * - `record_missing`: an update of a record that is not here.
 * - `record_exists`: an insert of an id that is taken.
 * - `schema_invalid`: the collection's schema refused the record.
 * - `collection_unknown`: the collection was not given to the store.
 * - `mutation_too_large`: more bytes or changes than the hub takes at once; split the write.
 * - `ephemeral_too_large`: a presence or a broadcast of more bytes than the hub passes on.
 * - `quota`: the browser gives no more room. Nothing was written.
 * - `storage_lost`: the browser evicted or damaged the database; unsent edits in it are gone.
 * - `token_missing`: the app gave no token.
 * - `token_failed`: the app's token function threw something else than `fetch` without a network.
 * - `account_mismatch`: the app gave another account's token.
 * - `unsynced`: signing out would have left unsent edits behind, and they could not be sent.
 * - `signed_out`: another tab signed the account out; nothing was written.
 * - `stopped`: the store was closed, or the wait was ended by signing out.
 */
export class SynclineError extends Error {
  override readonly name: string = "SynclineError";

  constructor(
    /** Stable, for programs. */
    readonly code: string,
    /** For people. */
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
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
