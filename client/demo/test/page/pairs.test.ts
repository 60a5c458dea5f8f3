/** The page of two devices leaves no databases behind for ever. */
import { expect, test } from "vitest";
import { tidy, WEEK_MS } from "../../src/two-devices/pairs";
import { Disk } from "./page";

const NOW = Date.parse("2031-11-10T12:00:00Z");

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
  const others = ["phone:syncline/todo/guest", "syncline/todo/user/pair-01234567"];
  const ofOld = [`laptop:syncline/todo/user/${old}`, `phone:2:syncline/todo/user/${old}`];
  const ofOwn = [`phone:syncline/todo/user/${own}`];
  for (const name of [...others, ...ofOld, ...ofOwn]) await make(indexedDB, name);
  localStorage.setItem(`phone:syncline/todo/user/${old}`, "2");
  localStorage.setItem("phone:syncline/todo/guest", "2");
  // One from before is noted first.
  await tidy(indexedDB, own, NOW);
  expect(await namesIn(indexedDB)).toEqual([...others, ...ofOld, ...ofOwn].sort());
  await tidy(indexedDB, own, NOW + WEEK_MS);
  expect(await namesIn(indexedDB)).toHaveLength(5);
  await tidy(indexedDB, own, NOW + WEEK_MS + 1);
  expect(await namesIn(indexedDB)).toEqual([...others, ...ofOwn].sort());
  const texts = Object.keys(localStorage);
  expect(texts.filter((key) => key.includes(old))).toEqual([]);
  expect(texts).toContain("phone:syncline/todo/guest");
});
