/**
 * What the client costs in Chromium, against a hub on the same machine: `npm run bench`. Give a
 * release build by HUB, or the hub's part is a debug build's.
 */
import { test } from "vitest";
import { caughtUp, World, writes } from "./browser";

const RECORDS = 50_000;
const FEWER = 10_000;
const PER_PUSH = 2_500;
const INSERTS = 500;
const READS = 1_000;
const ROUNDS = 60;

test("figures", { timeout: 600_000 }, async () => {
  const world = await World.start();
  const local = await inserts(world, null);
  told("local insert, seen by the caller, p50", at(local, 0.5), 5);
  told("local insert, seen by the caller, p99", at(local, 0.99), 5);
  const sending = await inserts(world, "insert");
  told("the same while each is sent at once, p50", at(sending, 0.5));
  told("the same while each is sent at once, p99", at(sending, 0.99));
  await fill(world, "fewer", FEWER);
  const fewer = await boot(world, "fewer");
  told(`point read among ${fewer.count} records, p50`, at(fewer.times, 0.5), 1);
  told(`point read among ${fewer.count} records, p99`, at(fewer.times, 0.99));
  const seen = await visible(world);
  told("write in one browser to visible in the other, p50", at(seen, 0.5), 100);
  told("write in one browser to visible in the other, p99", at(seen, 0.99));
  await fill(world, "large", RECORDS);
  const large = await boot(world, "large");
  told(`bootstrap of ${large.count} records`, large.took, 3_000);
  await world.stop();
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

async function inserts(world: World, account: string | null): Promise<number[]> {
  const page = await world.tab(await world.device(), account);
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

async function visible(world: World): Promise<number[]> {
  const writer = await world.tab(await world.device(), "visible");
  const reader = await world.tab(await world.device(), "visible");
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

/** A new device takes an account over: how long that took, and then how long each of some reads. */
async function boot(world: World, user: string) {
  const page = await world.tab(await world.device(), null);
  const account = await page.evaluate(
    async ([user, reads]) => {
      const { app } = window;
      const began = performance.now();
      await app.store.signIn(app.auth(user), "keep-server");
      await app.store.caughtUp();
      const took = performance.now() - began;
      const count = await app.tasks.count();
      const times: number[] = [];
      for (let at = 0; at < reads; at++) {
        const began = performance.now();
        await app.tasks.get(`t${(at * 7_919) % count}`);
        times.push(performance.now() - began);
      }
      return { took, count, times };
    },
    [user, READS] as [string, number],
  );
  await page.context().close();
  return account;
}
