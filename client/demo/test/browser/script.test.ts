/** The written script, by keyboard alone at both widths and by touch at 390 px. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fits, isSound } from "./checks";
import { byKeyboard } from "./keyboard";
import { EXPECTED, outcome, SCRIPT } from "./script";
import { hubHolds, rows, syncs } from "./steps";
import { byTouch } from "./touch";
import { DESKTOP, hasChromium, PHONE, shot, World } from "./world";

describe.skipIf(!hasChromium)("the script of twelve tasks in Chromium", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world?.stop());

  const ways = [
    ["by keyboard alone at 1,280 px", "keys", DESKTOP, byKeyboard],
    // As who makes all of it three times as large sees it.
    [
      "by keyboard alone at 390 px",
      "keys-390",
      { ...DESKTOP, viewport: PHONE.viewport },
      byKeyboard,
    ],
    ["by touch at 390 px", "touch", PHONE, byTouch],
  ] as const;

  test.each(ways)("is done %s", async (_, user, as, how) => {
    const { page, url, close } = await world.device(as);
    await page.goto(url);
    await rows(page).first().waitFor();
    const steps = how(user);
    for (const step of SCRIPT) {
      try {
        await steps[step](page);
      } catch (error) {
        await shot(page, `failed-${user}`);
        throw new Error(`could not ${step}`, { cause: error });
      }
      await fits(page);
    }
    await syncs(page, "Synced");
    await hubHolds(world.hub, user, (held) => expect(outcome(held)).toEqual(EXPECTED));
    await isSound(page);
    await shot(page, `script-${user}`);
    await close();
  });
});
