/**
 * What the client costs in Chromium, against a hub on the same machine: `npm run bench`. Give a
 * release build by HUB, or the hub's part is a debug build's.
 */
import { test } from "vitest";
import { caughtUp, World, writes } from "./browser";

const RECORDS = 50_000;
const PER_PUSH = 2_500;
const INSERTS = 500;
const READS = 1_000;
const ROUNDS = 60;

test("figures", { timeout: 600_000 }, async () => {
  const world = await World.start();
  console.log(`local insert, seen by the caller: ${await inserts(world, null)}`);
  console.log(`the same while each one is sent at once: ${await inserts(world, "insert")}`);
  console.log(`write in one browser to visible in the other: ${await visible(world)}`);
  await fill(world, "large");
  console.log(`bootstrap of ${RECORDS} records, and point reads among them: ${await boot(world)}`);
  await world.stop();
});

/** The median and the 99th percentile of times in milliseconds, as text. */
function shown(times: number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(sorted.length * part)]!.toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${times.length})`;
}

async function inserts(world: World, account: string | null): Promise<string> {
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
  return shown(times);
}

async function visible(world: World): Promise<string> {
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
  return shown(times);
}

/** Has the hub hold records, written as a server would. */
async function fill(world: World, user: string): Promise<void> {
  const headers = { authorization: `Bearer ${await world.hub.token(user)}` };
  for (let from = 0, m = 1; from < RECORDS; from += PER_PUSH, m++) {
    const changes = Array.from({ length: PER_PUSH }, (_, more) => {
      const data = { title: `task ${from + more}`, done: false, n: more, note: "x".repeat(80) };
      return { table: "tasks", id: `t${from + more}`, op: "insert", data };
    });
    const body = JSON.stringify({ client: "filler", muts: [{ m, changes }] });
    const answer = await fetch(`${world.hub.url}/v1/todo/push`, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(await answer.text());
  }
}

async function boot(world: World): Promise<string> {
  const page = await world.tab(await world.device(), null);
  const account = await page.evaluate(async (reads) => {
    const { app } = window;
    const began = performance.now();
    await app.store.signIn(app.auth("large"), "keep-server");
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
  }, READS);
  await page.context().close();
  return `${account.count} in ${(account.took / 1000).toFixed(1)} s; ${shown(account.times)}`;
}
