/**
 * The client SDK: a store that works on the device and syncs with a Syncline hub.
 *
 * In reading order: `store` and `collection` are what an app uses, `session` is an open account,
 * `sync` talks to the hub, `storage` is the database, `core` holds the rules and does no IO.
 */
export { createLocalCollection, LocalCollection } from "./collection.js";
export type {
  CollectionOptions,
  Condition,
  Identified,
  Live,
  New,
  Patch,
  Query,
  Reading,
  SortKey,
  Write,
} from "./collection.js";
export { Ephemeral } from "./ephemeral.js";
export type { Broadcast, Notice, Present } from "./ephemeral.js";
export { RejectedError, SynclineError } from "./core/errors.js";
export type { DeviceErrorCode, ErrorCode } from "./core/errors.js";
export type { Json, JsonObject } from "./core/json.js";
export { uuid } from "./core/uuid.js";
export type { Change } from "./core/wire.js";
export type { GuestChoice } from "./guest.js";
export type { Inspection } from "./inspect.js";
export type { Rejected, RejectedWrites } from "./rejected.js";
export { createLocalStore, LocalStore } from "./store.js";
export type { PastError, Status, SyncStatus } from "./status.js";
export type { StoreOptions, UnsyncedChoice } from "./store.js";
export type { Edit } from "./storage/outbox.js";
export type { Surroundings } from "./surroundings.js";
export type { StatusError } from "./sync/activity.js";
export type { Tracing } from "./sync/conversation.js";
export type { Auth } from "./sync/tokens.js";
