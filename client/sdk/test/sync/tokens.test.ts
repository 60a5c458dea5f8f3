import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Tokens } from "../../src/sync/tokens";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a token function that never answers is given up, and asked again", async () => {
  let asked = 0;
  const token = () => (++asked === 1 ? new Promise<string>(() => {}) : "x.y.z");
  const tokens = new Tokens({ account: "ada", token });
  const first = tokens.get();
  first.catch(() => {});
  await vi.advanceTimersByTimeAsync(30_000);
  await expect(first).rejects.toMatchObject({ code: "token_failed" });
  expect(await tokens.get()).toBe("x.y.z");
  expect(vi.getTimerCount()).toBe(0);
});
