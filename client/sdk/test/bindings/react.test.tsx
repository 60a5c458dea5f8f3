// @vitest-environment happy-dom
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server.browser";
import { afterEach, expect, test } from "vitest";
import type { LocalCollection, LocalStore } from "../../src/index";
import { StoreProvider, useLive, useRejected, useStatus, useStore } from "../../src/react/index";
import { Disk, type Task } from "../device";
import { shows, textOf, textsOf } from "./page";

function Tasks({ tasks }: { tasks: LocalCollection<Task> }) {
  const [done, show] = useState(false);
  const found = useLive(() => tasks.live({ filter: { done }, sort: "title" }), [tasks, done]);
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
afterEach(() => end());

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

test("the status counts what waits", async () => {
  const { tasks } = open();
  await shows(() => expect(textOf("#status")).toBe("guest offline 0 0 null"));
  await tasks.insert({ title: "Bread" });
  await shows(() => expect(textOf("#status")).toBe("guest offline 1 0 null"));
});

test("a server shows no device's data, and the status of a store that has just begun", async () => {
  const { store, tasks } = new Disk().open();
  const html = renderToString(app(store, tasks));
  expect(html).toContain("guest offline 0 0");
  expect(html).not.toContain("<ul");
  await store.close();
});

test("a hook without a store says what is missing", () => {
  const Lost = () => <>{useStatus().status}</>;
  expect(() => renderToString(<Lost />)).toThrow("no StoreProvider");
});
