/**
 * Notifications in a page: registering for Web Push, showing each once, devices, preferences, history.
 * The service worker's part is `@syncline/sdk/push-worker`. The store needs none of it.
 */
export {
  addDevice,
  devices,
  history,
  preferences,
  removeDevice,
  setPreferences,
  type Device,
  type Devices,
  type History,
  type Preferences,
} from "./hub.js";
export { claim, claimShow, SHOWN_MAX } from "./kept.js";
export type { Channel, NotificationItem, NotificationRecord, Receipts } from "./message.js";
export { NOTICE_WITHIN_MS, notices, notificationRecords, type NoticesOptions } from "./notices.js";
export {
  keepPush,
  registeredAs,
  registerPush,
  renewPush,
  unregisterPush,
  type PushOptions,
} from "./push.js";
export type { HubAccess } from "./rest.js";
