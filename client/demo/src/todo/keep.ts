/**
 * Keeps a text under a key of one of the browser's storages, at once; `null` keeps none. Where there is
 * no room it is not kept, nor is what was there before, which is no longer so.
 */
export function keep(storage: Storage, key: string, text: string | null): void {
  try {
    if (text !== null) return storage.setItem(key, text);
  } catch {
    // What it was for goes on without it.
  }
  storage.removeItem(key);
}
