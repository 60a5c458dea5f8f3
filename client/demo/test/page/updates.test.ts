/** A newer build under a page that is open, as the browser tells of it. */
import { beforeEach, expect, test, vi } from "vitest";
import { Updates } from "../../src/ui/updates.svelte";

class Worker extends EventTarget {
  state = "installing";
  heard: unknown[] = [];
  postMessage(message: unknown) {
    this.heard.push(message);
  }
}

class Registration extends EventTarget {
  active: Worker | null = new Worker();
  waiting: Worker | null = null;
  installing: Worker | null = null;
  update = vi.fn(async () => {});
}

class Container extends EventTarget {
  controller: Worker | null = new Worker();
}

const reload = vi.fn();
beforeEach(() => {
  reload.mockClear();
  vi.spyOn(location, "reload").mockImplementation(reload);
});

function page({ isFirst = false } = {}) {
  const [container, registration, updates] = [new Container(), new Registration(), new Updates()];
  if (isFirst) [container.controller, registration.active] = [null, null];
  const opened: string[] = [];
  const end = updates.follow(container as never, registration as never, (id) => opened.push(id));
  /** A build is found, and its files are fetched. */
  const finds = () => {
    const worker = (registration.installing = new Worker());
    registration.dispatchEvent(new Event("updatefound"));
    [registration.installing, registration.waiting] = [null, worker];
    worker.state = "installed";
    worker.dispatchEvent(new Event("statechange"));
    return worker;
  };
  const changes = () => container.dispatchEvent(new Event("controllerchange"));
  return { container, registration, updates, opened, end, finds, changes };
}

test("a newer build is offered when all of it is here, and taken when somebody says so", () => {
  const { updates, registration, finds, changes } = page();
  expect(registration.active!.heard).toEqual(["started"]);
  expect(updates.isOffered).toBe(false);
  const worker = finds();
  expect([updates.isOffered, worker.heard, reload.mock.calls]).toEqual([true, [], []]);
  updates.take();
  expect([worker.heard, reload.mock.calls.length]).toEqual([["take over"], 0]);
  changes();
  expect(reload).toHaveBeenCalledOnce();
});

test("the first build is offered to nobody", () => {
  const { updates, finds, changes } = page({ isFirst: true });
  finds();
  changes();
  expect([updates.isOffered, reload.mock.calls.length]).toEqual([false, 0]);
});

test("a page under which another tab took the new build goes on, and is offered it", () => {
  const { updates, changes } = page();
  changes();
  expect([updates.isOffered, reload.mock.calls.length]).toEqual([true, 0]);
  updates.take();
  expect(reload).toHaveBeenCalledOnce();
});

test("a page that is seen again asks whether there is one, and no more at its end", () => {
  const { registration, end } = page();
  document.dispatchEvent(new Event("visibilitychange"));
  expect(registration.update).toHaveBeenCalledOnce();
  end();
  document.dispatchEvent(new Event("visibilitychange"));
  expect(registration.update).toHaveBeenCalledOnce();
});

test("a reminder that was tapped opens its task", () => {
  const { container, opened } = page();
  container.dispatchEvent(new MessageEvent("message", { data: { open: "t1" } }));
  container.dispatchEvent(new MessageEvent("message", { data: null }));
  expect(opened).toEqual(["t1"]);
});
