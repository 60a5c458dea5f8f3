/** The page of two devices leaves no databases behind for ever. */
import { expect, test } from "vitest";
import { hold, tidy, WEEK_MS } from "../../src/two-devices/pairs";
import { Disk } from "./page";

const NOW = Date.parse("2031-11-10T12:00:00Z");

/** As much of a browser's locks as pairs use: shared ones, and what asks whether there are any. */
function locksOfBrowser(): LockManager {
  const holders = new Map<string, number>();
  const count = (name: string, by: number) => holders.set(name, (holders.get(name) ?? 0) + by);
  const request = async (
    name: string,
    { mode = "exclusive", ifAvailable = false }: LockOptions,
    work: (lock: Lock | null) => Promise<unknown>,
  ) => {
    if (mode === "exclusive" && (holders.get(name) ?? 0) > 0)
      return ifAvailable ? work(null) : new Promise(() => {});
    count(name, 1);
    return work({ name, mode }).finally(() => count(name, -1));
  };
  return { request } as LockManager;
}

const make = (factory: IDBFactory, name: string) =>
  new Promise<void>((resolve) => {
    factory.open(name, 1).onsuccess = ({ target }) => {
      (target as IDBOpenDBRequest).result.close();
      resolve();
    };
  });

const namesIn = async (factory: IDBFactory) =>
  (await factory.databases()).map(({ name }) => name).sort();

test("a pair that was not shown for a week is forgotten, and nothing else", async () => {
  const { indexedDB } = new Disk();
  const [old, own] = ["pair-01234567", "pair-89abcdef"];
  const locks = locksOfBrowser();
  const others = ["phone:syncline/todo/guest", "syncline/todo/user/pair-01234567"];
  const ofOld = [`laptop:syncline/todo/user/${old}`, `phone:2:syncline/todo/user/${old}`];
  const ofOwn = [`phone:syncline/todo/user/${own}`];
  for (const name of [...others, ...ofOld, ...ofOwn]) await make(indexedDB, name);
  localStorage.setItem(`phone:syncline/todo/user/${old}`, "2");
  localStorage.setItem("phone:syncline/todo/guest", "2");
  // One from before is noted first.
  await tidy({ databases: indexedDB, locks }, own, NOW);
  expect(await namesIn(indexedDB)).toEqual([...others, ...ofOld, ...ofOwn].sort());
  await tidy({ databases: indexedDB, locks }, own, NOW + WEEK_MS);
  expect(await namesIn(indexedDB)).toHaveLength(5);
  await tidy({ databases: indexedDB, locks }, own, NOW + WEEK_MS + 1);
  expect(await namesIn(indexedDB)).toEqual([...others, ...ofOwn].sort());
  const texts = Object.keys(localStorage);
  expect(texts.filter((key) => key.includes(old))).toEqual([]);
  expect(texts).toContain("phone:syncline/todo/guest");
});

test("a pair that is open in another tab is not forgotten, however long it slept", async () => {
  const { indexedDB } = new Disk();
  const locks = locksOfBrowser();
  const [old, own] = ["pair-01234567", "pair-89abcdef"];
  const names = [`laptop:syncline/todo/user/${old}`, `phone:syncline/todo/user/${old}`];
  for (const name of names) await make(indexedDB, name);
  localStorage.setItem(`phone:syncline/todo/user/${old}`, "1");
  await tidy({ databases: indexedDB, locks }, old, NOW);
  const later = () => tidy({ databases: indexedDB, locks }, own, NOW + WEEK_MS + 1);
  // It, and a duplicate of its tab.
  const ends = [hold(locks, old), hold(locks, old)];
  await later();
  ends[0]!();
  await later();
  expect(await namesIn(indexedDB)).toEqual(names);
  expect(localStorage.getItem(`phone:syncline/todo/user/${old}`)).toBe("1");
  ends[1]!();
  await new Promise((resolve) => setTimeout(resolve));
  await later();
  expect(await namesIn(indexedDB)).toEqual([]);
  expect(localStorage.getItem(`phone:syncline/todo/user/${old}`)).toBeNull();
});

test("where a browser has no locks, nothing is forgotten that may be open", async () => {
  const { indexedDB } = new Disk();
  const name = "phone:syncline/todo/user/pair-01234567";
  await make(indexedDB, name);
  const ends = hold(undefined, "pair-89abcdef");
  for (const now of [NOW, NOW + WEEK_MS + 1])
    await tidy({ databases: indexedDB, locks: undefined }, "pair-89abcdef", now);
  expect(await namesIn(indexedDB)).toEqual([name]);
  ends();
});
