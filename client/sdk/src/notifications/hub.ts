/** What the hub holds of a user's notifications: devices, preferences, history. */
import type { Channel, NotificationRecord } from "./message.js";
import { ask, expects, type HubAccess } from "./rest.js";

/** Where a user is told things. */
export interface Device {
  id: string;
  kind: "push" | "mail" | "webhook";
  /** What the user calls it. */
  name: string;
  /** In which it is told; `null`: the user's. */
  language: string | null;
  /** ISO 8601. */
  createdAt: string;
  /** When it was last registered: ISO 8601. */
  seenAt: string;
}

export interface Devices {
  devices: Device[];
  /** Ids of the last devices that the user has removed; an older hub does not say. */
  forgotten?: string[];
  /** By which a browser knows the hub, base64url; `null`: the hub sends no Web Push. */
  publicKey: string | null;
  /** What kinds the hub can tell by. */
  kinds: Device["kind"][];
}

/** How a user wants to be told. Who says nothing is told everything at once, by every channel. */
export interface Preferences {
  /** Of the tz database: `Europe/Berlin`. Quiet hours need one. */
  timezone?: string;
  /** In which the user is told: `de-AT`. */
  language?: string;
  /** Hours of the user's day, as `22:00`: until the next day, if `to` is not after `from`. */
  quiet?: { from: string; to: string };
  /** At most so many in so many minutes. */
  limit?: { count: number; minutes: number };
  /** By what a kind such as `reminder` is told, and what becomes of it in quiet hours; by default `later`. */
  kinds?: Record<string, { channels?: Channel[]; inQuiet?: "later" | "drop" | "now" }>;
}

/** Part of the history, the newest first. */
export interface History {
  notifications: NotificationRecord[];
  /** From where older ones are to be had; `null`: there are none. */
  next: string | null;
}

/** Errors: those of the hub, `unreachable`, `protocol`, `token_missing`, `token_failed`. */
export async function devices(access: HubAccess): Promise<Devices> {
  const answer = await ask(access, { path: "/devices" });
  return expects<Devices>(answer, (one) => Array.isArray(one.devices), "devices");
}

/** Tells the hub of a device; the same again is only seen once more. Errors: as `devices`,
 * `device_invalid`, `too_many_devices`. */
export async function addDevice(
  access: HubAccess,
  device: {
    kind: Device["kind"];
    /** Of kind `push`. */
    subscription?: PushSubscriptionJSON;
    /** Of kind `webhook`: its name in the hub's configuration. */
    to?: string;
    name?: string;
    language?: string;
  },
): Promise<Device> {
  const body = { app: access.app, ...device };
  const answer = await ask(access, { method: "POST", path: "/devices", body });
  return expects<Device>(answer, (one) => typeof one.id === "string", "device");
}

/** Errors: as `devices`, `device_unknown`. */
export async function removeDevice(access: HubAccess, id: string): Promise<void> {
  await ask(access, { method: "DELETE", path: `/devices/${encodeURIComponent(id)}` });
}

/** Errors: as `devices`. */
export async function preferences(access: HubAccess): Promise<Preferences> {
  const answer = await ask(access, { path: "/notifications/preferences" });
  return expects<Preferences>(answer, (one) => !Array.isArray(one), "preferences");
}

/** Takes the place of all that was said before. Errors: as `devices`, `preferences_invalid`. */
export async function setPreferences(access: HubAccess, body: Preferences): Promise<void> {
  await ask(access, { method: "PUT", path: "/notifications/preferences", body });
}

/**
 * What was told, the newest first: `before` the id of one, or what `next` was. A store that was given
 * `notificationRecords` has it all on the device. Errors: as `devices`.
 */
export async function history(
  access: HubAccess,
  { before, limit }: { before?: string; limit?: number } = {},
): Promise<History> {
  const answer = await ask(access, { path: "/notifications", query: { before, limit } });
  const is = (one: History) => Array.isArray(one.notifications);
  const { notifications, next } = expects<History>(answer, is, "notifications");
  return { notifications, next: next ?? null };
}
