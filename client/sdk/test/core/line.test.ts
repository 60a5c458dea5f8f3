import { expect, test } from "vitest";
import { broke, carried, NEW_LINE } from "../../src/core/line";

test("a line may break once, and then carries less and less, down to one", () => {
  let line = broke(NEW_LINE, 100, false);
  expect(line.most).toBe(100);
  const tried = [];
  for (; line.most > 1; line = broke(line, line.most, false)) tried.push(line.most);
  expect(tried).toEqual([100, 50, 25, 12, 6, 3]);
  expect(broke(line, 1, false).most).toBe(1);
});

test("a line that the hub says is slow carries less at once", () => {
  expect(broke(NEW_LINE, 100, true).most).toBe(50);
});

test("half is of what was under way, which bytes may have bounded", () => {
  expect(broke(NEW_LINE, 8, true).most).toBe(4);
});

test("what gets through lets more be tried, up to the most there is", () => {
  let line = broke(NEW_LINE, 1, true);
  const tried = [];
  for (let push = 0; push < 9; push++) {
    tried.push(line.most);
    line = carried(line);
  }
  expect(tried).toEqual([1, 2, 4, 8, 16, 32, 64, 100, 100]);
  expect(line).toEqual(NEW_LINE);
});

test("a line that carries little is not forgiven again, one that is whole again is", () => {
  const weak = carried(broke(NEW_LINE, 8, true));
  expect(broke(weak, 8, false).most).toBe(4);
  expect(broke(NEW_LINE, 8, false).most).toBe(100);
});
