import { expect, test } from "vitest";
import { Loss } from "../src/loss";

/** Something to be kept, as slowly as a test wants. */
function keeping() {
  let done = () => {};
  const kept = new Promise<void>((resolve) => (done = resolve));
  return { keep: () => kept, done };
}

test("a look that was begun before this tab told of a loss does not take it back", async () => {
  const loss = new Loss();
  const before = loss.turn;
  const { keep, done } = keeping();
  const told = loss.set("evicted", keep);
  const meanwhile = loss.turn;
  loss.looked(before, "");
  loss.looked(meanwhile, "");
  expect(loss.error?.code).toBe("storage_lost");
  done();
  await told;
  loss.looked(before, "");
  loss.looked(meanwhile, "");
  expect(loss.error?.code).toBe("storage_lost");
  // Another tab has acknowledged it since.
  loss.looked(loss.turn, "");
  expect(loss.error).toBeNull();
});

test("what could not be kept is told again by the next look", async () => {
  const loss = new Loss();
  loss.looked(loss.turn, "unreadable");
  const full = new Error("full");
  await expect(loss.set("", () => Promise.reject(full))).rejects.toBe(full);
  expect(loss.error).toBeNull();
  loss.looked(loss.turn, "unreadable");
  expect(loss.error?.code).toBe("storage_lost");
});
