// @vitest-environment happy-dom
/** React's hooks where renderings overlap with what a store tells. */
import {
  act,
  startTransition,
  StrictMode,
  useEffect,
  useLayoutEffect,
  type ReactNode,
} from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LocalStore } from "../../src/index";
import { StoreProvider, useLive, useStatus, useStore } from "../../src/react/index";
import { Disk } from "../device";
import { AT_REST, Driven, DrivenStore } from "./driven";
import { textOf } from "./page";

let root: Root;
let place: HTMLElement;
const faults = vi.fn();
beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  faults.mockClear();
  // React tells there of what is used wrongly.
  vi.spyOn(console, "error").mockImplementation(faults);
  place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => root.unmount());
  place.remove();
  vi.restoreAllMocks();
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = false;
  expect(faults).not.toHaveBeenCalled();
});

const show = (what: ReactNode) => act(async () => root.render(what));

test("what is shown together is of one status, whenever the store changes", async () => {
  const driven = new DrivenStore();
  const committed: Record<string, number> = {};
  const together: Record<string, number>[] = [];
  function Pending({ name, meanwhile }: { name: string; meanwhile?: () => void }) {
    meanwhile?.();
    const { pending } = useStatus(driven.store);
    useLayoutEffect(() => void (committed[name] = pending));
    return <>{pending}</>;
  }
  function Together() {
    useLayoutEffect(() => void together.push({ ...committed }));
    return null;
  }
  let changes = 1;
  // A rendering that may be interrupted; here between the two.
  const meanwhile = () => changes-- === 1 && driven.becomes({ pending: 5 });
  await act(async () =>
    startTransition(() =>
      root.render(
        <>
          <Pending name="one" />
          <Pending name="other" meanwhile={meanwhile} />
          <Together />
        </>,
      ),
    ),
  );
  expect(together[0]).toEqual({ one: 5, other: 5 });
  for (const { one, other } of together) expect(one).toBe(other);
});

test("a status is the same object for all until it changes, and in renderings of no change", async () => {
  const driven = new DrivenStore();
  const seen: unknown[] = [];
  function Two() {
    seen.push(useStatus(driven.store), useStatus(driven.store));
    return null;
  }
  for (let n = 0; n < 3; n++) await show(<Two />);
  expect(new Set(seen).size).toBe(1);
  seen.length = 0;
  await act(async () => driven.becomes({ pending: 1 }));
  expect(new Set(seen).size).toBe(1);
  expect(seen[0]).toMatchObject({ pending: 1 });
});

function Read({
  asked,
  query,
  heard,
}: {
  asked: string;
  query: Driven<string>;
  heard?: (reading: unknown) => void;
}) {
  const reading = useLive(() => query, [asked]);
  useEffect(() => heard?.(reading), [reading]);
  return <p id="read">{`${reading.current ?? "none"} | ${reading.isStale}`}</p>;
}

test("the last result is that which was told last, also if it was never shown", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  await show(<Read asked="a" query={first} />);
  await act(async () => {
    first.tell("one");
    root.render(<Read asked="b" query={second} />);
  });
  expect(textOf("#read")).toBe("one | true");
});

test("a reading is the same object until there is news, also while it is stale", async () => {
  const [first, second] = [new Driven<string>(), new Driven<string>()];
  const heard = vi.fn();
  await show(<Read asked="a" query={first} heard={heard} />);
  await act(async () => first.tell("one"));
  await show(<Read asked="b" query={second} heard={heard} />);
  heard.mockClear();
  for (let n = 0; n < 3; n++) await show(<Read asked="b" query={second} heard={heard} />);
  expect(heard).not.toHaveBeenCalled();
});

test("a component may take another store, its own or that of the provider", async () => {
  const [above, own] = ["above", "own"].map(
    (account) => new DrivenStore({ ...AT_REST, account }),
  ) as [DrivenStore, DrivenStore];
  const Whose = ({ store }: { store?: LocalStore }) => <p id="whose">{useStatus(store).account}</p>;
  for (const store of [undefined, own.store, undefined]) {
    await show(
      <StrictMode>
        <StoreProvider value={above.store}>
          <Whose store={store} />
        </StoreProvider>
      </StrictMode>,
    );
    expect(textOf("#whose")).toBe(store ? "own" : "above");
  }
  await show(null);
  expect([above.listeners, own.listeners]).toEqual([0, 0]);
});

test("the provider may be given another store", async () => {
  const [one, other] = ["one", "other"].map(
    (account) => new DrivenStore({ ...AT_REST, account }),
  ) as [DrivenStore, DrivenStore];
  const Whose = () => <p id="whose">{`${useStatus().account} ${useStore().account}`}</p>;
  for (const { store } of [one, other])
    await show(
      <StrictMode>
        <StoreProvider value={store}>
          <Whose />
        </StoreProvider>
      </StrictMode>,
    );
  expect(textOf("#whose")).toBe("other other");
  expect([one.listeners, other.listeners]).toEqual([0, 1]);
});

test("what goes while it is read leaves nothing behind", async () => {
  const { store, tasks } = new Disk().open();
  let running = 0;
  const counted = {
    subscribe: (next: (found: unknown) => void) => {
      running++;
      const end = tasks.live().subscribe(next);
      return () => {
        running--;
        end();
      };
    },
  };
  const heard = vi.fn();
  function Reads() {
    heard(useLive(() => counted, []).current);
    return null;
  }
  await show(
    <StrictMode>
      <Reads />
    </StrictMode>,
  );
  expect(running).toBe(1);
  await show(null);
  heard.mockClear();
  await tasks.insert({ title: "Bread" });
  await tasks.query();
  expect([running, heard.mock.calls.length]).toEqual([0, 0]);
  await store.close();
});
