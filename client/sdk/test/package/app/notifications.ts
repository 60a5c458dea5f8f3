/** An app with notifications: what it gives and gets, by type. */
import type { LocalCollection } from "@syncline/sdk";
import {
  claim,
  devices,
  history,
  notices,
  notificationRecords,
  preferences,
  registerPush,
  setPreferences,
  type Device,
  type NotificationRecord,
  type Preferences,
} from "@syncline/sdk/notifications";
import { onNotificationClick, onPush, type PushPayload } from "@syncline/sdk/push-worker";
import { store } from "./plain.js";
import { holds, type Same } from "./types.js";

const records = notificationRecords();
holds<Same<typeof records, LocalCollection<NotificationRecord>>>();

export async function tells(registration: ServiceWorkerRegistration): Promise<void> {
  const hub = { serverUrl: "http://127.0.0.1:1", app: "todo", token: () => null };
  const device = await registerPush({ ...hub, registration, name: "Phone", language: "de" });
  holds<Same<typeof device, Device>>();
  const all = await devices({ ...hub, token: "a text" });
  holds<Same<(typeof all)["publicKey"], string | null>>();
  const said = await preferences(hub);
  holds<Same<typeof said, Preferences>>();
  await setPreferences(hub, { ...said, kinds: { reminder: { channels: ["push"] } } });
  const { notifications, next } = await history(hub, { limit: 10 });
  holds<Same<typeof notifications, NotificationRecord[]>>();
  holds<Same<typeof next, string | null>>();
  const end = notices({ app: "todo", store, records, show: ({ title }) => alert(title) });
  holds<Same<typeof end, () => void>>();
  const fresh = await claim("todo", ["reminders/r1@0"]);
  holds<Same<typeof fresh, string[]>>();
}

export function works(event: Event & { waitUntil(work: Promise<unknown>): void }): void {
  onPush({ waitUntil: (work) => event.waitUntil(work), data: null }, { icon: "./icon.svg" });
  const notification = { close: () => {}, data: null };
  onNotificationClick(
    { waitUntil: () => {}, notification },
    { url: ({ items }) => `#/${items?.[0]?.task ?? ""}` },
  );
  holds<Same<PushPayload["v"], 1>>();
}

export async function isWrong(): Promise<void> {
  // @ts-expect-error: no registration
  await registerPush({ serverUrl: "http://127.0.0.1:1", app: "todo", token: "t" });
  // @ts-expect-error: no such channel
  await setPreferences(hub, { kinds: { reminder: { channels: ["pigeon"] } } });
}

declare const hub: { serverUrl: string; app: string; token: string };
