/**
 * What the client costs in Chromium, against a hub on the same machine: `npm run bench`. Give a
 * release build by HUB, or the hub's part is a debug build's.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { test } from "vitest";
import { caughtUp, World, writes } from "./browser";

const RECORDS = 50_000;
const FEWER = 10_000;
const PER_PUSH = 2_500;
const INSERTS = 500;
const READS = 1_000;
const ROUNDS = 60;
const INSERT_EVERY_MS = 20;

test("figures", { timeout: 600_000 }, async () => {
  // The client is measured, not what the hub lets one user do.
  const world = await World.start({
    HUB__LIMITS__USER_CHANGES_PER_S: "1000000000",
    HUB__LIMITS__USER_BYTES_PER_S: "68719476736",
  });
  const folder = mkdtempSync(join(tmpdir(), "syncline-"));
  let devices = 0;
  const device = () => world.deviceIn(join(folder, `${devices++}`));
  const bare = await bareTransactions(world, await device());
  told("IndexedDB alone: two reads and three puts, p50", at(bare, 0.5));
  told("IndexedDB alone: two reads and three puts, p99", at(bare, 0.99));
  const local = await inserts(world, await device(), null);
  told("local insert, seen by the caller, p50", at(local, 0.5), 5);
  told("local insert, seen by the caller, p99", at(local, 0.99), 5);
  const sending = await inserts(world, await device(), "insert");
  told("the same while each is sent at once, p50", at(sending, 0.5), 5);
  told("the same while each is sent at once, p99", at(sending, 0.99), 5);
  await fill(world, "fewer", FEWER);
  const fewer = await boot(world, await device(), "fewer");
  told(`point read among ${fewer.count} records, p50`, at(fewer.reads, 0.5), 1);
  told(`point read among ${fewer.count} records, p99`, at(fewer.reads, 0.99));
  const seen = await visible(world, await device(), await device());
  told("write in one browser to visible in the other, p50", at(seen, 0.5), 100);
  told("write in one browser to visible in the other, p99", at(seen, 0.99));
  told(`IndexedDB alone: ${RECORDS} puts`, await barePuts(world, await device()));
  await fill(world, "large", RECORDS);
  const large = await boot(world, await device(), "large");
  told(`bootstrap of ${large.count} records`, large.took, 3_000);
  const busy = await boot(world, await device(), "large", INSERT_EVERY_MS);
  told(`insert while they come, ${busy.inserts.length} of them, p50`, at(busy.inserts, 0.5), 5);
  told("insert while they come, p99", at(busy.inserts, 0.99), 5);
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Prints a figure in milliseconds beside its goal. */
function told(name: string, ms: number, goal?: number): void {
  const beside = goal === undefined ? "" : `   goal < ${goal} ms: ${ms < goal ? "met" : "missed"}`;
  console.log(`${name.padEnd(52)} ${ms.toFixed(1).padStart(8)} ms${beside}`);
}

/** What that part of the times lies below. */
function at(times: number[], part: number): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * part)]!;
}

/** What a write costs at least: a transaction that reads and puts as much, without anything around it. */
async function bareTransactions(world: World, device: BrowserContext): Promise<number[]> {
  const page = await world.tab(device, null);
  const times = await page.evaluate(async (count) => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const open = indexedDB.open("bare", 1);
      open.onupgradeneeded = () => {
        for (const name of ["a", "b", "c"])
          open.result.createObjectStore(name, { autoIncrement: name === "a" });
      };
      open.onsuccess = () => resolve(open.result);
    });
    const times: number[] = [];
    for (let at = 0; at < count; at++) {
      const began = performance.now();
      await new Promise((resolve) => {
        const all = db.transaction(["a", "b", "c"], "readwrite");
        all.oncomplete = resolve;
        all.objectStore("b").get(at);
        all.objectStore("c").get(0).onsuccess = () => {
          const data = { title: `task ${at}`, done: false };
          all.objectStore("a").add({ data, at });
          all.objectStore("b").put({ data, at }, at);
          all.objectStore("c").put({ at }, 0);
        };
      });
      times.push(performance.now() - began);
    }
    return times;
  }, INSERTS);
  await device.close();
  return times;
}

/** What a bootstrap costs at least: as many puts, a thousand in a transaction. */
async function barePuts(world: World, device: BrowserContext): Promise<number> {
  const page = await world.tab(device, null);
  const took = await page.evaluate(async (records) => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const open = indexedDB.open("bare", 1);
      open.onupgradeneeded = () => open.result.createObjectStore("a", { keyPath: ["t", "id"] });
      open.onsuccess = () => resolve(open.result);
    });
    const began = performance.now();
    for (let from = 0; from < records; from += 1_000) {
      await new Promise((resolve) => {
        const all = db.transaction("a", "readwrite");
        all.oncomplete = resolve;
        for (let n = from; n < from + 1_000; n++) {
          const d = { title: `task ${n}`, done: false, n, note: "x".repeat(80) };
          all.objectStore("a").put({ t: "tasks", id: `t${n}`, d });
        }
      });
    }
    return performance.now() - began;
  }, RECORDS);
  await device.close();
  return took;
}

async function inserts(
  world: World,
  device: BrowserContext,
  account: string | null,
): Promise<number[]> {
  const page = await world.tab(device, account);
  if (account !== null) await caughtUp(page);
  const times = await page.evaluate(async (count) => {
    const times: number[] = [];
    for (let at = 0; at < count; at++) {
      const began = performance.now();
      await window.app.tasks.insert({ title: `task ${at}`, done: false });
      times.push(performance.now() - began);
    }
    return times;
  }, INSERTS);
  await page.context().close();
  return times;
}

async function visible(world: World, one: BrowserContext, other: BrowserContext) {
  const writer = await world.tab(one, "visible");
  const reader = await world.tab(other, "visible");
  await writes(writer, "k", "first");
  await caughtUp(writer);
  await caughtUp(reader);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const title = `round ${round}`;
    const seen = reader.evaluate(async (title) => {
      await window.app.shows("k", title);
      return performance.timeOrigin + performance.now();
    }, title);
    const began = await writer.evaluate(async (title) => {
      const began = performance.timeOrigin + performance.now();
      await window.app.tasks.update("k", { title });
      return began;
    }, title);
    times.push((await seen) - began);
  }
  await writer.context().close();
  await reader.context().close();
  return times;
}

/** Has the hub hold records, written as a server would. */
async function fill(world: World, user: string, records: number): Promise<void> {
  const headers = { authorization: `Bearer ${await world.hub.token(user)}` };
  for (let from = 0, m = 1; from < records; from += PER_PUSH, m++) {
    const changes = Array.from({ length: PER_PUSH }, (_, more) => {
      const data = { title: `task ${from + more}`, done: false, n: more, note: "x".repeat(80) };
      return { table: "tasks", id: `t${from + more}`, op: "insert", data };
    });
    const body = JSON.stringify({ client: "filler", muts: [{ m, changes }] });
    const answer = await fetch(`${world.hub.url}/v1/todo/push`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(await answer.text());
  }
}

/**
 * A new device takes an account over: how long that took, and then how long each of some reads. With
 * `insertEvery` it writes meanwhile, with so many milliseconds between two inserts.
 */
async function boot(world: World, device: BrowserContext, user: string, insertEvery = 0) {
  const page = await world.tab(device, null);
  const account = await page.evaluate(
    async ([user, reads, insertEvery]) => {
      const { app } = window;
      const began = performance.now();
      await app.store.signIn(app.auth(user), "keep-server");
      const isThere = new Promise<void>((resolve) => {
        let began = false;
        app.store.onStatus(({ bootstrap }) => {
          began ||= bootstrap !== null;
          if (began && bootstrap === null) resolve();
        });
      });
      let isOver = false;
      const inserts: number[] = [];
      const writing = async () => {
        while (insertEvery > 0 && !isOver) {
          const began = performance.now();
          await app.tasks.insert({ title: "meanwhile" });
          inserts.push(performance.now() - began);
          await new Promise((resolve) => setTimeout(resolve, insertEvery));
        }
      };
      const written = writing();
      await isThere;
      if (insertEvery === 0) await app.store.caughtUp();
      const took = performance.now() - began;
      isOver = true;
      await written;
      const count = await app.tasks.count();
      const times: number[] = [];
      for (let at = 0; at < reads; at++) {
        const began = performance.now();
        await app.tasks.get(`t${(at * 7_919) % count}`);
        times.push(performance.now() - began);
      }
      return { took, count, reads: times, inserts };
    },
    [user, READS, insertEvery] as [string, number, number],
  );
  await device.close();
  return account;
}
