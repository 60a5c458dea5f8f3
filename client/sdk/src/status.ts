/** What a store tells of its syncing. */
import type { Activity } from "./sync/activity.js";

/**
 * - `synced`: everything written is at the hub, everything the hub told is shown.
 * - `pending`: writes wait to be sent.
 * - `syncing`: they are on their way, or news are coming in.
 * - `offline`: no connection; also a guest, and a store that was stopped.
 * - `error`: see `error` of the status. That something was lost with a database is told until it is
 *   acknowledged, whatever else there is to tell: the rest goes on all the while.
 */
export type SyncStatus = "synced" | "pending" | "syncing" | "offline" | "error";

export interface Status {
  status: SyncStatus;
  /** The account, or `null` for a guest. Another tab may sign it out. */
  account: string | null;
  /** Writes the hub has not judged. */
  pending: number;
  /** Why it does not sync, by code; `null` if it does, or is only offline. */
  error: Activity["error"];
  /** While a new device is filled: records that came, and about how many there are. */
  bootstrap: Activity["bootstrap"];
}

/** Why a store did not sync, and when that began. */
export interface PastError {
  code: string;
  message: string;
  /** Milliseconds since 1970, by this device. */
  at: number;
}

export function statusOf(
  activity: Activity | undefined,
  pending: number,
  error: Activity["error"],
): SyncStatus {
  if (error) return "error";
  if (!activity?.online) return "offline";
  if (!activity.complete || (pending > 0 && activity.pushing)) return "syncing";
  return pending > 0 ? "pending" : "synced";
}
