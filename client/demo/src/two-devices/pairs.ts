/** The pairs of devices that were shown here: each tab has one, whose databases would stay for ever. */
import { keep } from "../todo/keep";

/** How long a pair is kept that is not shown, in milliseconds: a tab may be opened again. */
export const WEEK_MS = 7 * 24 * 60 * 60_000;

/** In front of a pair's user, in `localStorage`: when it was last shown, in milliseconds. */
const SHOWN = "syncline-two-devices-shown ";

/** The user of a database's name. */
const USER = /^(?:phone|laptop):.*\/user\/(pair-[0-9a-f]+)$/;

/** In front of a pair's user: the lock of every tab that has it open, however long that sleeps. */
const OPEN = "syncline-two-devices-open ";

/** What a browser has of them. There are no locks where a page is not secure. */
interface Kept {
  databases: IDBFactory;
  locks: LockManager | undefined;
}

/** Says that a pair is open here, until what it returns is called. */
export function hold(locks: LockManager | undefined, user: string): () => void {
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  void locks?.request(OPEN + user, { mode: "shared" }, () => ended).catch(() => {});
  return end;
}

/**
 * Notes that `own` is shown at `now`, and deletes what is here of pairs that were not for a week and are
 * open in no tab; where that cannot be told, of none. What they had sent stays at the hub.
 */
export async function tidy({ databases, locks }: Kept, own: string, now: number): Promise<void> {
  keep(localStorage, SHOWN + own, String(now));
  const found = new Map<string, string[]>();
  for (const { name = "" } of await databases.databases()) {
    const user = USER.exec(name)?.[1];
    if (user !== undefined) found.set(user, [...(found.get(user) ?? []), name]);
  }
  for (const [user, names] of found) {
    const shown = localStorage.getItem(SHOWN + user);
    if (shown === null) keep(localStorage, SHOWN + user, String(now));
    else if (now - Number(shown) > WEEK_MS)
      await locks?.request(OPEN + user, { ifAvailable: true }, async (lock) => {
        if (lock) await forget(databases, user, names);
      });
  }
}

async function forget(databases: IDBFactory, user: string, names: string[]): Promise<void> {
  for (const name of names) await deleted(databases, name);
  for (const key of Object.keys(localStorage)) if (key.endsWith(user)) localStorage.removeItem(key);
}

/** Resolves also if it cannot be for now: it is tried again at another start. */
function deleted(databases: IDBFactory, name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = databases.deleteDatabase(name);
    request.onsuccess = request.onerror = request.onblocked = () => resolve();
  });
}
