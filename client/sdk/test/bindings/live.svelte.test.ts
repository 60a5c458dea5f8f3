// @vitest-environment happy-dom
import { flushSync, mount, unmount } from "svelte";
import { afterEach, expect, test } from "vitest";
import { live, statusOf } from "../../src/svelte/index";
import { Driven, DrivenStore } from "./driven";
import { textOf } from "./page";
import Read from "./Read.svelte";
import { choosing } from "./shown.svelte";

let app: ReturnType<typeof mount> | undefined;
const end = async () => {
  if (app) await unmount(app);
  app = undefined;
  // What is not shown any more is let go in a microtask, as what is shown anew might want it.
  await Promise.resolve();
};
afterEach(end);

function show(asked: Driven<string>) {
  const shown = choosing({ asked });
  app = mount(Read, { target: document.body, props: { shown } });
  flushSync();
  return shown;
}

const page = () => {
  flushSync();
  return ["#current", "#stale", "#error"].map(textOf).join(" | ");
};

test("a result is stale until what is asked for now was answered", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const shown = show(first);
  expect(page()).toBe("none | true | none");
  first.tell("one");
  expect(page()).toBe("one | false | none");
  shown.asked = second;
  expect(page()).toBe("one | true | none");
  second.tell("two");
  expect(page()).toBe("two | false | none");
});

test("an error is told beside the last result, and gone with the next", () => {
  const query = new Driven<string>();
  show(query);
  query.fail("no room");
  expect(page()).toBe("none | true | no room");
  query.tell("one");
  expect(page()).toBe("one | false | none");
  query.fail("no room again");
  expect(page()).toBe("one | false | no room again");
  query.tell("two");
  expect(page()).toBe("two | false | none");
});

test("an error is of what was asked for, not of what is asked for now", () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const shown = show(first);
  first.fail("no room");
  shown.asked = second;
  expect(page()).toBe("none | true | none");
});

test("a query runs while it is shown, and is let go for another and at the end", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const shown = show(first);
  // However many values of it are shown.
  expect(first.subscriptions).toBe(1);
  shown.asked = second;
  flushSync();
  await Promise.resolve();
  expect([first.subscriptions, second.subscriptions]).toEqual([0, 1]);
  await end();
  expect(second.subscriptions).toBe(0);
});

test("each value alone keeps its query running and shows its changes", async () => {
  for (const name of ["current", "isStale", "error"] as const) {
    const query = new Driven<string>();
    const seen: unknown[] = [];
    const stop = $effect.root(() => {
      const found = live(() => query);
      $effect.pre(() => void seen.push(found[name]));
    });
    flushSync();
    expect(query.subscriptions).toBe(1);
    query.tell("one");
    flushSync();
    query.fail("no room");
    flushSync();
    stop();
    const last = { current: "one", isStale: false, error: "no room" };
    expect(seen.at(-1)).toBe(last[name]);
    await Promise.resolve();
    expect(query.subscriptions).toBe(0);
  }
});

test("outside of what is shown a value is the last one, and nothing is begun", () => {
  const query = new Driven<string>();
  const stop = $effect.root(() => {
    expect(live(() => query).current).toBeUndefined();
  });
  stop();
  expect(query.subscriptions).toBe(0);
});

test("a status is that of the store now, and is listened to while it is shown", async () => {
  const driven = new DrivenStore();
  const seen: number[] = [];
  const stop = $effect.root(() => {
    const status = statusOf(driven.store);
    $effect.pre(() => void seen.push(status.current.pending));
  });
  flushSync();
  expect(driven.listeners).toBe(1);
  driven.becomes({ pending: 3 });
  flushSync();
  expect([seen[0], seen.at(-1)]).toEqual([0, 3]);
  stop();
  await Promise.resolve();
  expect(driven.listeners).toBe(0);
});
