/** A device that runs an app: all its collections, by the table's name. */
import type { LocalCollection, LocalStore } from "@syncline/sdk";
import { createLocalStore } from "@syncline/sdk";
import { collectionsOf, type App } from "../src/index";
import { Disk } from "../../sdk/test/device";
import type { Hub } from "../../sdk/test/hub";

export type Fieldset = Record<string, unknown>;
export type AnyRecord = { id: string } & Fieldset;

export class Device {
  readonly store: LocalStore;
  /** What its clock shows, in milliseconds since 1970; `null` is the time there is. */
  at: number | null = null;
  readonly collections: Record<string, LocalCollection<AnyRecord>>;

  constructor(hub: Hub, app: App, user: string) {
    const collections = collectionsOf(app, { sync: { pushDebounce: 0 } });
    this.collections = collections as unknown as Record<string, LocalCollection<AnyRecord>>;
    this.store = createLocalStore({
      appId: app.id,
      serverUrl: hub.url,
      collections: Object.values(collections),
      auth: { account: user, token: () => hub.token(user) },
      surroundings: { ...new Disk().surroundings(), now: () => this.at ?? Date.now() },
    });
  }

  of(table: string): LocalCollection<AnyRecord> {
    return this.collections[table]!;
  }

  /** All it shows, by table and id, as `Hub.holds` tells it. */
  async shows(): Promise<Record<string, Fieldset>> {
    const shown: Record<string, Fieldset> = {};
    for (const [table, collection] of Object.entries(this.collections))
      for (const { id, ...data } of await collection.query()) shown[`${table}/${id}`] = data;
    return shown;
  }
}

/** Everything that each wrote is at the hub and shown by all. */
export async function meet(devices: Device[]): Promise<void> {
  for (const { store } of devices) store.startSync();
  // What the last one sent reaches the first after its own turn.
  for (const { store } of [...devices, ...devices]) await store.caughtUp();
}

export function part(devices: Device[]): void {
  for (const { store } of devices) store.stopSync();
}
