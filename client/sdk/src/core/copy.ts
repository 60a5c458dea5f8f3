/**
 * What is known of a device's copy of the space, and which of its rows are shown.
 *
 * Rows carry a generation. A snapshot fills a new one beside the one that is shown, and when the
 * copy is complete the shown generation changes: so nothing of a cut page is ever shown, and a
 * broken snapshot goes on where it was, also after a crash. Even generations and odd ones are kept
 * apart, and a whole snapshot fills the other kind: whoever reads and writes does not wait for it.
 */
import type { Cursor } from "./wire.js";

/** A snapshot under way. */
export interface Fill {
  /** The generation it fills. */
  gen: number;
  /** The tables it brings into a copy of others; `null` is all the device wants. */
  tables: string[] | null;
  /** Every part has come; what follows it makes it complete. */
  ended: boolean;
  /** Where it goes on after a break. */
  next: string | null;
  /** The head before its first part. */
  at: number | null;
  /** Records that came, their sum, and how many the hub expects them to be. */
  count: number;
  sum: number;
  of: number | null;
  /** The newest stamp told with them; empty if none was. */
  latest: string;
}

/** Which rows are shown. */
export interface Shown {
  /** The generation shown, and the tables that are shown in a later one. */
  base: number;
  ahead: Record<string, number>;
}

export const NONE_SHOWN: Shown = { base: 0, ahead: {} };

/** What is known of the copy. */
export interface Replica extends Shown {
  /** Up to where it was told; beyond what is shown while it is not complete. */
  cursor: Cursor | null;
  /** What is shown is the space as of the cursor. */
  complete: boolean;
  /** No generation is later. */
  fresh: number;
  /** Generations that nobody needs any more, and which may hold rows. */
  drop: number[];
  fill: Fill | null;
  /** Changes wait for the rest of a catch-up that was cut. */
  staged: boolean;
  /** The tables the copy covers; `null` is all. */
  tables: string[] | null;
  /**
   * The history is another than it was: what is held and differs is offered back when the copy is
   * complete. Until then nothing is pushed: what was written may stand on what is to be offered.
   */
  offers: boolean;
}

export const NEW_REPLICA: Replica = {
  cursor: null,
  complete: false,
  ...NONE_SHOWN,
  fresh: 0,
  drop: [],
  fill: null,
  staged: false,
  tables: null,
  offers: false,
};

/** The generation a table is shown in. */
export function shownGen({ base, ahead }: Shown, table: string): number {
  return ahead[table] ?? base;
}
