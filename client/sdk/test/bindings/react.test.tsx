// @vitest-environment happy-dom
import { act, StrictMode, useState, type ReactNode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server.browser";
import { afterEach, expect, test } from "vitest";
import type { LocalCollection, LocalStore } from "../../src/index";
import { StoreProvider, useLive, useRejected, useStatus, useStore } from "../../src/react/index";
import { Disk, type Task } from "../device";
import { AT_REST, Driven, DrivenStore, refusal } from "./driven";
import { shows, textOf, textsOf } from "./page";

function Tasks({ tasks }: { tasks: LocalCollection<Task> }) {
  const [done, show] = useState(false);
  const { current: found } = useLive(
    () => tasks.live({ filter: { done }, sort: "title" }),
    [tasks, done],
  );
  const { account, status, pending } = useStatus();
  const rejected = useRejected();
  return (
    <>
      <p id="status">
        {`${account ?? "guest"} ${status} ${pending} ${rejected.length} ${useStore().account}`}
      </p>
      <button onClick={() => show(!done)}>{done ? "Done" : "Open"}</button>
      {found && (
        <ul id="tasks">
          {found.map(({ id, title }) => (
            <li key={id}>{title}</li>
          ))}
        </ul>
      )}
    </>
  );
}

const app = (store: LocalStore, tasks: LocalCollection<Task>) => (
  <StrictMode>
    <StoreProvider value={store}>
      <Tasks tasks={tasks} />
    </StoreProvider>
  </StrictMode>
);

let end = async () => {};
afterEach(async () => {
  await end();
  end = async () => {};
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = false;
});

function open() {
  const { store, tasks } = new Disk().open();
  const place = document.body.appendChild(document.createElement("div"));
  const root = createRoot(place);
  root.render(app(store, tasks));
  end = async () => {
    root.unmount();
    place.remove();
    await store.close();
  };
  return { store, tasks };
}

/** Shows a page, twice over as `StrictMode` does, and shows others in its place. */
async function page() {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const place = document.body.appendChild(document.createElement("div"));
  const root = createRoot(place);
  let isShown = true;
  const leave = async () => {
    if (isShown) await act(async () => root.unmount());
    isShown = false;
    place.remove();
  };
  end = leave;
  const show = (what: ReactNode) => act(async () => root.render(<StrictMode>{what}</StrictMode>));
  return { show, leave };
}

function Read({ asked, query }: { asked: string; query: Driven<string> }) {
  const { current, isStale, error } = useLive(() => query, [asked]);
  return <p id="read">{`${current ?? "none"} | ${isStale} | ${error ?? "none"}`}</p>;
}

test("a live query shows what is written, and another one when what it asks for changes", async () => {
  const { tasks } = open();
  await shows(() => expect(document.querySelector("#tasks")).not.toBeNull());
  await tasks.insert({ id: "b", title: "Bread", done: false });
  await tasks.insert({ id: "a", title: "Apples", done: false });
  await shows(() => expect(textsOf("#tasks li")).toEqual(["Apples", "Bread"]));
  await tasks.update("a", { done: true });
  await shows(() => expect(textsOf("#tasks li")).toEqual(["Bread"]));
  document.querySelector("button")!.click();
  await shows(() => expect(textsOf("#tasks li")).toEqual(["Apples"]));
});

test("a result is stale until what is asked for now was answered", async () => {
  const [first, second, third] = ["", "", ""].map(() => new Driven<string>()) as [
    Driven<string>,
    Driven<string>,
    Driven<string>,
  ];
  const { show } = await page();
  await show(<Read asked="a" query={first} />);
  expect(textOf("#read")).toBe("none | true | none");
  await act(async () => first.tell("one"));
  expect(textOf("#read")).toBe("one | false | none");
  await show(<Read asked="b" query={second} />);
  expect(textOf("#read")).toBe("one | true | none");
  // Also if what was asked for meanwhile was never answered.
  await show(<Read asked="c" query={third} />);
  expect(textOf("#read")).toBe("one | true | none");
  await act(async () => third.tell("three"));
  expect(textOf("#read")).toBe("three | false | none");
});

test("another query begins only when what it depends on changes", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const { show } = await page();
  await show(<Read asked="a" query={first} />);
  await show(<Read asked="a" query={second} />);
  expect([first.subscriptions, second.subscriptions]).toEqual([1, 0]);
});

test("an error is told beside the last result, and gone with the next", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const { show } = await page();
  await show(<Read asked="a" query={first} />);
  await act(async () => first.fail("no room"));
  expect(textOf("#read")).toBe("none | true | no room");
  await act(async () => first.tell("one"));
  expect(textOf("#read")).toBe("one | false | none");
  await act(async () => first.fail("no room again"));
  expect(textOf("#read")).toBe("one | false | no room again");
  await show(<Read asked="b" query={second} />);
  expect(textOf("#read")).toBe("one | true | none");
  await act(async () => second.fail("nor for this"));
  expect(textOf("#read")).toBe("one | true | nor for this");
});

test("a query runs while it is shown, and is let go for another and at the end", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const { show, leave } = await page();
  await show(<Read asked="a" query={first} />);
  expect(first.subscriptions).toBe(1);
  await show(<Read asked="b" query={second} />);
  expect([first.subscriptions, second.subscriptions]).toEqual([0, 1]);
  await leave();
  expect(second.subscriptions).toBe(0);
});

/** Every status that was rendered, also for a moment. */
const rendered: unknown[] = [];

function Figures({ store }: { store?: LocalStore }) {
  const { account, pending } = useStatus(store);
  rendered.push(account);
  const codes = useRejected(store).map(({ code }) => code);
  return <p id="figures">{`${account} ${pending} ${codes.join()}`}</p>;
}

test("status and refused writes are those of the store there is, and are let go with it", async () => {
  const [one, other] = ["one", "other"].map(
    (account) => new DrivenStore({ ...AT_REST, account }),
  ) as [DrivenStore, DrivenStore];
  const { show, leave } = await page();
  await show(<Figures store={one.store} />);
  expect(textOf("#figures")).toBe("one 0");
  await act(async () => {
    one.becomes({ pending: 2 });
    one.refused.tell([refusal(1, "forbidden")]);
  });
  expect(textOf("#figures")).toBe("one 2 forbidden");
  rendered.length = 0;
  await show(<Figures store={other.store} />);
  expect(new Set(rendered)).toEqual(new Set(["other"]));
  // Nothing of the first: it is not the other's to decide.
  expect(textOf("#figures")).toBe("other 0");
  expect([one.listeners, one.refused.subscriptions]).toEqual([0, 0]);
  await act(async () => other.refused.tell([refusal(2, "quota"), refusal(3, "gone")]));
  expect(textOf("#figures")).toBe("other 0 quota,gone");
  await leave();
  expect([other.listeners, other.refused.subscriptions]).toEqual([0, 0]);
});

test("a store that is given comes before that of the provider", async () => {
  const [above, own] = ["above", "own"].map(
    (account) => new DrivenStore({ ...AT_REST, account }),
  ) as [DrivenStore, DrivenStore];
  const { show } = await page();
  await show(
    <StoreProvider value={above.store}>
      <Figures store={own.store} />
    </StoreProvider>,
  );
  expect(textOf("#figures")).toBe("own 0");
  await show(
    <StoreProvider value={above.store}>
      <Figures key="another" />
    </StoreProvider>,
  );
  expect(textOf("#figures")).toBe("above 0");
});

test("the status counts what waits", async () => {
  const { tasks } = open();
  await shows(() => expect(textOf("#status")).toBe("guest offline 0 0 null"));
  await tasks.insert({ title: "Bread" });
  await shows(() => expect(textOf("#status")).toBe("guest offline 1 0 null"));
});

test("a server shows no device's data, and a page that takes over from it shows its own", async () => {
  const driven = new DrivenStore({ ...AT_REST, pending: 4 });
  const query = new Driven<string>();
  const both = (
    <StoreProvider value={driven.store}>
      <Figures />
      <Read asked="" query={query} />
    </StoreProvider>
  );
  const place = document.body.appendChild(document.createElement("div"));
  place.innerHTML = renderToString(both);
  expect(textOf("#figures")).toBe("null 0");
  expect(textOf("#read")).toBe("none | true | none");
  const faults: unknown[] = [];
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const root = await act(async () =>
    hydrateRoot(place, both, { onRecoverableError: (error) => faults.push(error) }),
  );
  end = async () => {
    await act(async () => root.unmount());
    place.remove();
  };
  expect(textOf("#figures")).toBe("ada 4");
  expect(faults).toEqual([]);
});

test("a hook without a store says what is missing", () => {
  const Lost = () => <>{useStatus().status}</>;
  expect(() => renderToString(<Lost />)).toThrow("no StoreProvider");
});
