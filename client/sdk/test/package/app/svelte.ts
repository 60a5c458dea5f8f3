/** A Svelte app: what the reactive values and the components are, by type. */
import {
  DebugPanel,
  getStore,
  live,
  say,
  setStore,
  statusOf,
  SyncStatus,
  type Reading,
} from "@syncline/sdk/svelte";
import type { LocalStore, Status } from "@syncline/sdk";
import { mount } from "svelte";
import { store, tasks, type Task } from "./plain.js";
import { holds, type Same } from "./types.js";

export function shows(target: Element): void {
  const found = live(() => tasks.live());
  holds<Same<typeof found, Reading<Task[]>>>();
  holds<Same<typeof found.current, Task[] | undefined>>();
  const status = statusOf(store);
  holds<Same<typeof status.current, Status>>();
  const { label, hint } = say(status.current);
  holds<Same<[typeof label, typeof hint], [string, string]>>();
  const given = getStore();
  holds<Same<typeof given, LocalStore>>();
  setStore(store);
  mount(SyncStatus, { target, props: { store } });
  mount(DebugPanel, { target });
  // @ts-expect-error: no store
  mount(DebugPanel, { target, props: { store: tasks } });
  // @ts-expect-error: no such property
  mount(SyncStatus, { target, props: { shop: store } });
  // @ts-expect-error: a query, not what makes one
  live(tasks.live());
}
