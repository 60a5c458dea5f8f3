/** What holds of every state of a page: nothing sticks out, targets are large, axe is content. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** CSS pixels, each way, of what can be tapped. */
export const TARGET_PX = 44;

export async function isAccessible(page: Page): Promise<void> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
  expect(found).toEqual([]);
}

export async function fits(page: Page): Promise<void> {
  // What sticks out of a dialog scrolls in it, and makes the page no wider.
  const wide = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll("dialog[open]")]
      .map(({ localName, scrollWidth, clientWidth }) => ({ localName, scrollWidth, clientWidth }))
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth),
  );
  expect(wide).toEqual([]);
  const small = await page.evaluate((least) => {
    const modal = document.querySelector("dialog[open]");
    const asked = "a[href], button, input, select, textarea, summary, [role=switch]";
    return [...(modal ?? document).querySelectorAll<HTMLElement>(asked)]
      .filter((one) => one.checkVisibility() && !one.classList.contains("skip"))
      .map((one) => {
        // A label is as good to tap as what it labels.
        const target = one.closest("label") ?? one;
        const { width, height } = target.getBoundingClientRect();
        return { what: one.outerHTML.slice(0, 120), width, height };
      })
      .filter(({ width, height }) => width < least - 0.5 || height < least - 0.5);
  }, TARGET_PX);
  expect(small).toEqual([]);
}

export async function isSound(page: Page): Promise<void> {
  await fits(page);
  await isAccessible(page);
}
