import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { caughtUp, freeze, hasChromium, shows, World, writes } from "./browser";

describe.skipIf(!hasChromium)("in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world.stop());
  // A test that failed leaves the others their hub.
  afterEach(async () => {
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
