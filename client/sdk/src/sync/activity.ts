/** What keeps a store from syncing, or what it has lost. */
export interface StatusError {
  code: string;
  message: string;
  /** With `storage_lost`: what became of the database. */
  lost?: "evicted" | "unreadable";
}

/** What an engine is at: told to whoever shows it, in all tabs. */
export interface Activity {
  /** The hub has said welcome. */
  online: boolean;
  /** Everything the hub has told is shown. */
  complete: boolean;
  /** Mutations are on their way. */
  pushing: boolean;
  /** What keeps it from syncing, if it is more than a missing network. */
  error: StatusError | null;
  /** Records of a snapshot that came, and about how many there are; `null` if it is not known. */
  bootstrap: { done: number; total: number | null } | null;
}

export const RESTING: Activity = {
  online: false,
  complete: false,
  pushing: false,
  error: null,
  bootstrap: null,
};
