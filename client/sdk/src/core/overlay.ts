/**
 * What a device shows of a record: the server's data with its own unacknowledged mutations laid
 * over it. No stamp is compared. Held to the same cases as the hub's own devices by
 * `protocol/vectors/overlay.json`.
 */
import type { JsonObject } from "./json.js";
import type { Change } from "./wire.js";

/** Lays one change over what is shown of its record, `null` being nothing. Neither is altered. */
export function lay(shown: JsonObject | null, change: Change): JsonObject | null {
  switch (change.op) {
    case "insert":
      return { ...shown, ...change.data };
    case "update": {
      if (!shown) return null;
      const set = { ...shown };
      for (const [name, write] of Object.entries(change.fields)) set[name] = write.value;
      return set;
    }
    case "delete":
      return null;
  }
}

/**
 * What is shown of the record `table`, `id` of which the server holds `server`. `pending` are the
 * lists of changes of the mutations without effect there yet, in the order they were made.
 */
export function overlay(
  table: string,
  id: string,
  server: JsonObject | null,
  pending: Iterable<Change[]>,
): JsonObject | null {
  let shown = server;
  for (const changes of pending)
    for (const change of changes)
      if (change.table === table && change.id === id) shown = lay(shown, change);
  return shown;
}
