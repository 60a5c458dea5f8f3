/** The pairs of devices that were shown here: each tab has one, whose databases would stay for ever. */
import { keep } from "../todo/keep";

/** How long a pair is kept that is not shown, in milliseconds: a tab may be opened again. */
export const WEEK_MS = 7 * 24 * 60 * 60_000;

/** In front of a pair's user, in `localStorage`: when it was last shown, in milliseconds. */
const SHOWN = "syncline-two-devices-shown ";

/** The user of a database's name. */
const USER = /^(?:phone|laptop):.*\/user\/(pair-[0-9a-f]+)$/;

/**
 * Notes that `own` is shown at `now`, and deletes what is here of pairs that were not for a week. What
 * they had sent stays at the hub.
 */
export async function tidy(databases: IDBFactory, own: string, now: number): Promise<void> {
  keep(localStorage, SHOWN + own, String(now));
  const over = new Set<string>();
  const found = (await databases.databases()).flatMap(({ name = "" }) => {
    const user = USER.exec(name)?.[1];
    return user === undefined ? [] : [{ name, user }];
  });
  for (const { name, user } of found) {
    const shown = localStorage.getItem(SHOWN + user);
    if (shown === null) keep(localStorage, SHOWN + user, String(now));
    else if (now - Number(shown) > WEEK_MS) over.add(user);
    if (over.has(user)) await deleted(databases, name);
  }
  for (const key of Object.keys(localStorage))
    if ([...over].some((user) => key.endsWith(user))) localStorage.removeItem(key);
}

/** Resolves also if it cannot be for now: it is tried again at another start. */
function deleted(databases: IDBFactory, name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = databases.deleteDatabase(name);
    request.onsuccess = request.onerror = request.onblocked = () => resolve();
  });
}
