import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { caughtUp, freeze, hasChromium, kill, shows, World, writes } from "./browser";

/** Resolves when the page has a connection that it did not have before. */
const reconnects = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        let wasAway = false;
        const end = window.app.store.onStatus(({ status }) => {
          wasAway ||= status === "offline";
          if (wasAway && status !== "offline") queueMicrotask(() => (end(), resolve()));
        });
      }),
  );

describe.skipIf(!hasChromium)("in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world.stop());
  // A test that failed leaves the others their hub.
  afterEach(async () => {
    world.give = (account) => world.hub.token(account);
    if (!world.hub.isUp) await world.hub.run();
  });

  test("two devices see each other's writes, and a third what was before it", async () => {
    const phone = await world.tab(await world.device(), "two");
    const laptop = await world.tab(await world.device(), "two");
    await caughtUp(laptop);
    await writes(phone, "k", "from the phone");
    await shows(laptop, "k", "from the phone");
    await writes(laptop, "k", "from the laptop");
    await shows(phone, "k", "from the laptop");
    const third = await world.tab(await world.device(), "two");
    await shows(third, "k", "from the laptop");
    for (const page of [phone, laptop, third]) await page.context().close();
  });

  test("a device without a network keeps what is written, also over a reload", async () => {
    const device = await world.device();
    const page = await world.tab(device, "offline");
    await caughtUp(page);
    await world.hub.end();
    await writes(page, "k", "offline");
    await world.visit(page, "offline");
    await shows(page, "k", "offline");
    expect(await page.evaluate(() => window.app.store.syncStatus)).toBe("offline");
    await world.hub.run();
    await caughtUp(page);
    expect(await world.hub.holds("offline")).toMatchObject({ "tasks/k": { title: "offline" } });
    await device.close();
  });

  test("a page that cannot load what syncs works on, and syncs when it can", async () => {
    const device = await world.device();
    let refused = () => {};
    const wasRefused = new Promise<void>((resolve) => (refused = resolve));
    await device.route(/engine-.*\.js/, async (route) => {
      await route.abort();
      refused();
    });
    const page = await world.tab(device, "parts");
    await wasRefused;
    await writes(page, "k", "without the rest");
    await shows(page, "k", "without the rest");
    expect(await page.evaluate(() => window.app.store.syncStatus)).toBe("offline");
    await device.unroute(/engine-.*\.js/);
    await caughtUp(page);
    expect(await world.hub.holds("parts")).toMatchObject({ "tasks/k": {} });
    await device.close();
  });

  test("a tab that is closed hands over to another", async () => {
    const device = await world.device();
    const leader = await world.tab(device, "closed");
    await caughtUp(leader);
    const [second, third] = [await world.tab(device, "closed"), await world.tab(device, "closed")];
    await writes(third, "k", "through the leader");
    await shows(second, "k", "through the leader");
    await caughtUp(third);
    await leader.close();
    await writes(third, "k", "through another");
    await caughtUp(third);
    expect(await world.hub.holds("closed")).toMatchObject({
      "tasks/k": { title: "through another" },
    });
    await device.close();
  });

  test("a tab whose process is killed is replaced, and no write of the others is lost", async () => {
    const device = await world.device();
    const leader = await world.tab(device, "killed");
    await caughtUp(leader);
    const others = [await world.tab(device, "killed"), await world.tab(device, "killed")];
    for (const page of others) await caughtUp(page);
    await leader.evaluate(() => window.app.tasks.insert({ id: "leader", title: "its last" }));
    const writing = others.map((page, tab) =>
      page.evaluate(async (tab) => {
        for (let n = 0; n < 40; n++)
          await window.app.tasks.insert({ id: `${tab}-${n}`, title: "" });
      }, tab),
    );
    await kill(leader);
    await Promise.all(writing);
    for (const page of others) await caughtUp(page);
    expect(Object.keys(await world.hub.holds("killed"))).toHaveLength(1 + 1 + 2 * 40);
    await device.close();
  });

  test("a tab that is frozen is replaced, and does no harm when it wakes", async () => {
    const device = await world.device();
    const leader = await world.tab(device, "frozen");
    await caughtUp(leader);
    const other = await world.tab(device, "frozen");
    await caughtUp(other);
    const thaw = await freeze(leader);
    const began = performance.now();
    await writes(other, "k", "while it is frozen");
    await caughtUp(other);
    console.log(`a frozen leader was replaced in ${Math.round(performance.now() - began)} ms`);
    await thaw();
    await writes(leader, "k", "awake again");
    await shows(other, "k", "awake again");
    await caughtUp(other);
    expect(await world.hub.holds("frozen")).toMatchObject({ "tasks/k": { title: "awake again" } });
    await device.close();
  });

  test("a tab that does not lead shows itself and sees others, also under the next leader", async () => {
    const device = await world.device();
    const [leader, tab] = [await world.tab(device, "shown"), await world.tab(device, "shown")];
    const laptop = await world.tab(await world.device(), "shown");
    for (const page of [leader, tab, laptop]) await caughtUp(page);
    const shows = (page: Page, state: string) =>
      page.evaluate((state) => window.app.store.ephemeral.show(state), state);
    const sees = (page: Page, state: string) =>
      page.evaluate(
        (state) =>
          new Promise<void>((resolve) => {
            window.app.store.ephemeral.others().subscribe((others) => {
              if (others.some((one) => one.state === state)) resolve();
            });
          }),
        state,
      );
    await shows(tab, "from a tab");
    await sees(laptop, "from a tab");
    await shows(laptop, "from the laptop");
    await sees(tab, "from the laptop");
    await leader.close();
    await shows(laptop, "still there");
    await sees(tab, "still there");
    await sees(laptop, "from a tab");
    for (const page of [tab, laptop]) await page.context().close();
  });

  test("a guest becomes an account, with what another tab writes meanwhile", async () => {
    const device = await world.device();
    const page = await world.tab(device, null);
    const other = await world.tab(device, null);
    await writes(page, "k", "as a guest");
    // Goes on until it is told that the sign-in is over.
    const writing = other.evaluate(async () => {
      const over = new BroadcastChannel("over");
      let isOver = false;
      over.onmessage = () => (isOver = true);
      const written: string[] = [];
      while (!isOver) written.push((await window.app.tasks.insert({ title: "meanwhile" })).id);
      return written;
    });
    await page.evaluate(async () => {
      await window.app.store.signIn(window.app.auth("guest"));
      new BroadcastChannel("over").postMessage("");
    });
    const written = await writing;
    await caughtUp(page);
    const moved = Object.keys(await world.hub.holds("guest")).map((key) => key.split("/")[1]);
    const stayed = await other.evaluate(async () =>
      (await window.app.tasks.query()).map((task) => task.id),
    );
    expect([...moved, ...stayed].sort()).toEqual(["k", "seed", ...written].sort());
    await device.close();
  });

  test("an account that signs out takes its other tabs along, and leaves nothing unsent", async () => {
    const device = await world.device();
    const [page, other] = [await world.tab(device, "out"), await world.tab(device, "out")];
    for (const tab of [page, other]) await caughtUp(tab);
    const writing = other.evaluate(async () => {
      const written: string[] = [];
      try {
        for (;;) {
          written.push((await window.app.tasks.insert({ title: "meanwhile" })).id);
          // Typing, not flooding: a sign-out waits for all that is written before it.
          await window.app.store.caughtUp();
        }
      } catch (error) {
        return { written, code: (error as { code: string }).code };
      }
    });
    await page.evaluate(() => window.app.store.signOut({ unsynced: "push" }));
    const { written, code } = await writing;
    expect(["signed_out", "stopped"]).toContain(code);
    await other.evaluate(
      () =>
        new Promise<void>((resolve) => {
          window.app.store.onStatus(({ account }) => account === null && resolve());
        }),
    );
    const guests = await other.evaluate(() => window.app.tasks.query());
    const kept = [...Object.keys(await world.hub.holds("out")), ...guests.map(({ id }) => id)];
    for (const id of written) expect(kept.join()).toContain(id);
    await device.close();
  });

  test("an expired token pauses what is sent and nothing else, until there is another", async () => {
    let has = true;
    let [refused, wasRefused] = [false, () => {}];
    const refusal = new Promise<void>((resolve) => (wasRefused = resolve));
    world.give = async (account, isRefused) => {
      if (isRefused) ((refused = true), wasRefused());
      if (!has) return null;
      return world.hub.token(account, refused ? 3_600 : 1);
    };
    const page = await world.tab(await world.device(), "expired");
    await caughtUp(page);
    has = false;
    // The hub takes what is written until the token's second is over.
    let count = 0;
    for (let isOver = false; !isOver;) {
      await writes(page, `k${count++}`, "on and on");
      const sent = page.evaluate(() => window.app.store.caughtUp());
      sent.catch(() => {});
      isOver = await Promise.race([sent.then(() => false), refusal.then(() => true)]);
    }
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          window.app.store.onStatus(({ error }) => error?.code === "token_missing" && resolve());
        }),
    );
    await writes(page, "local", "still works");
    await shows(page, "local", "still works");
    has = true;
    await caughtUp(page);
    expect(Object.keys(await world.hub.holds("expired"))).toHaveLength(1 + count + 1);
    await page.context().close();
  });

  test("a hub that is killed again and again under load loses nothing, and doubles nothing", async () => {
    const pages = [];
    for (let device = 0; device < 2; device++)
      pages.push(await world.tab(await world.device(), "load"));
    for (const page of pages) await caughtUp(page);
    const writing = pages.map((page, device) =>
      page.evaluate(async (device) => {
        const { tasks } = window.app;
        await tasks.insert({ id: `own-${device}`, title: "0" });
        let n = 0;
        const stop = new Promise<void>((resolve) => ((window as { end?: unknown }).end = resolve));
        for (let isOver = false; !isOver;) {
          await tasks.insert({ id: `${device}-${n++}`, title: "" });
          await tasks.update(`own-${device}`, { title: String(n) });
          const turn = new Promise<boolean>((resolve) => setTimeout(() => resolve(false)));
          isOver = await Promise.race([stop.then(() => true), turn]);
        }
        return n;
      }, device),
    );
    for (let kills = 0; kills < 3; kills++) {
      await world.hub.end();
      await world.hub.run();
      // Each time somebody gets through before the next.
      await Promise.race(pages.map((page) => reconnects(page)));
    }
    for (const page of pages)
      await page.evaluate(() => (window as unknown as { end(): void }).end());
    const counts = await Promise.all(writing);
    for (const page of pages) await caughtUp(page);
    const held = await world.hub.holds("load");
    expect(Object.keys(held)).toHaveLength(1 + 2 + counts[0]! + counts[1]!);
    for (const [device, count] of counts.entries())
      expect(held).toMatchObject({ [`tasks/own-${device}`]: { title: String(count) } });
    // What the other wrote last may come a moment later.
    for (const page of pages)
      for (const [device, count] of counts.entries())
        await shows(page, `own-${device}`, String(count));
    for (const page of pages) await page.context().close();
  });

  test("a database that the browser clears under the store is filled again", async () => {
    const device = await world.device();
    const page = await world.tab(device, "cleared");
    await writes(page, "sent", "at the hub");
    await caughtUp(page);
    await page.evaluate(() => window.app.store.stopSync());
    await writes(page, "unsent", "only here");
    const ids = (wanted: string) =>
      page.evaluate(
        (wanted) =>
          new Promise<void>((resolve) => {
            window.app.tasks.live().subscribe((found) => {
              if (found.map(({ id }) => id).join() === wanted) resolve();
            });
          }),
        wanted,
      );
    await ids("seed,sent,unsent");
    const cleared = ids("");
    const cdp = await device.newCDPSession(page);
    const origin = new URL(world.url).origin;
    await cdp.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
    await cleared;
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          window.app.store.onStatus(({ error }) => error?.code === "storage_lost" && resolve());
        }),
    );
    await page.evaluate(() => window.app.store.startSync());
    await ids("seed,sent");
    await device.close();
  });

  test("a browser without room refuses a write, and takes the next when there is some", async () => {
    const folder = mkdtempSync(join(tmpdir(), "syncline-"));
    const device = await world.deviceIn(folder);
    const page = await device.newPage();
    const cdp = await device.newCDPSession(page);
    const origin = new URL(world.url).origin;
    await cdp.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000_000 });
    // Browsers remember for a while how much room there was.
    await world.visit(page, "quota");
    const code = await page.evaluate(async () => {
      // What is random is not made smaller.
      const random = () => crypto.getRandomValues(new Uint16Array(20_000)).join("");
      try {
        for (let at = 0; at < 100; at++) await window.app.tasks.insert({ title: random() });
        return "taken";
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(code).toBe("quota");
    await cdp.send("Storage.overrideQuotaForOrigin", { origin });
    await writes(page, "k", "there is room");
    await caughtUp(page);
    expect(await world.hub.holds("quota")).toMatchObject({ "tasks/k": { title: "there is room" } });
    await device.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
