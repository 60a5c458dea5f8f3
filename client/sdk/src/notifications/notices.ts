/** Notifications in an open page: the hub's records, and showing each once on this device. */
import { createLocalCollection, type LocalCollection } from "../collection.js";
import type { LocalStore } from "../store.js";
import { claimShow } from "./kept.js";
import type { NotificationRecord } from "./message.js";

/** Of the last ten minutes: what is older is history. */
export const NOTICE_WITHIN_MS = 10 * 60_000;

/** So many of the newest are looked at. */
const LATEST = 50;

/** A page that nobody sees leaves it to one that somebody does see for so long. */
const HIDDEN_WAITS_MS = 1_000;

/**
 * The history as a collection, to be given to the store among the others: the hub fills it, and the
 * newest has the last id. Nobody else writes it: inserts and updates fail with `schema_invalid`, and
 * deletes are refused by the hub.
 */
export function notificationRecords(): LocalCollection<NotificationRecord> {
  const parse = () => {
    throw new TypeError("notifications are written by the hub");
  };
  return createLocalCollection<NotificationRecord>({ name: "@notifications", schema: { parse } });
}

export interface NoticesOptions {
  /** The app, as the hub knows it. */
  app: string;
  store: Pick<LocalStore, "account" | "inspect">;
  /** What `notificationRecords` made, given to the store. */
  records: Pick<LocalCollection<NotificationRecord>, "live">;
  /** Shows it, in the page, or by the service worker's registration while the page is hidden. */
  show(notification: NotificationRecord): void;
  /** Told what reading the records fails with, and showing one. */
  failed?(error: unknown): void;
  /** What takes the place of the browser's own. */
  surroundings?: { now?(): number; isHidden?(): boolean; engine?: IDBFactory };
}

/**
 * Calls `show` for what the hub tells while the page is open, and told in the last ten minutes: once
 * for all tabs and the service worker, and not for what the app has claimed itself. Returns what ends it.
 */
export function notices({
  app,
  store,
  records,
  show,
  failed,
  surroundings = {},
}: NoticesOptions): () => void {
  const {
    now = () => Date.now(),
    isHidden = () => globalThis.document?.hidden,
    engine,
  } = surroundings;
  /** The ids of those that were decided on. */
  let decided = new Set<string>();
  let isOver = false;
  let turn: Promise<unknown> = Promise.resolve();

  const look = async (found: NotificationRecord[], account: string | null) => {
    const there = new Set(found.map(({ id }) => id));
    decided = new Set([...decided].filter((id) => there.has(id)));
    const isNew = (one: NotificationRecord) => !decided.has(one.id) && isNotice(one);
    if (!found.some(isNew)) return;
    if (isHidden()) await pause(HIDDEN_WAITS_MS);
    const at = now() + (await offsetOf(store));
    for (const one of found.filter((one) => isNew(one) && isCurrent(one, at)).reverse()) {
      // Somebody else's by now.
      if (isOver || store.account !== account) return;
      decided.add(one.id);
      const { id, items = [], more = 0 } = one;
      if (!(await claimShow(app, { id, items, more }, engine))) continue;
      try {
        show(one);
      } catch (error) {
        // The others are shown all the same.
        failed?.(error);
      }
    }
  };

  const end = records.live({ sort: "-id", limit: LATEST }).subscribe(
    (found) => {
      const { account } = store;
      turn = turn.then(() => look(found, account)).catch((error: unknown) => failed?.(error));
    },
    (error) => failed?.(error),
  );
  return () => {
    isOver = true;
    end();
  };
}

const isNotice = ({ channels }: NotificationRecord) => channels?.includes("notice");

/** By the hub's clock. */
const isCurrent = ({ at, expires }: NotificationRecord, now: number) =>
  Date.parse(at) > now - NOTICE_WITHIN_MS && Date.parse(expires) > now;

/** What the hub's clock is ahead of this device's, in milliseconds. */
const offsetOf = (store: NoticesOptions["store"]): Promise<number> =>
  store.inspect().then(
    ({ clockOffset }) => clockOffset,
    () => 0,
  );

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
