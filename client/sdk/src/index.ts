/**
 * The client SDK: a store that works on the device and syncs with a Syncline hub.
 *
 * In reading order: `store` and `collection` are what an app uses, `session` is an open account,
 * `sync` talks to the hub, `storage` is the database, `core` holds the rules and does no IO.
 */
export { createLocalCollection, LocalCollection } from "./collection";
export type {
  CollectionOptions,
  Identified,
  Live,
  New,
  Patch,
  Query,
  SortKey,
  Write,
} from "./collection";
export { Ephemeral } from "./ephemeral";
export type { Broadcast, Notice, Present } from "./ephemeral";
export { RejectedError, SynclineError } from "./core/errors";
export type { DeviceErrorCode, ErrorCode } from "./core/errors";
export type { Json, JsonObject } from "./core/json";
export type { Change } from "./core/wire";
export type { GuestChoice } from "./guest";
export type { Inspection } from "./inspect";
export type { Rejected, RejectedWrites } from "./rejected";
export { createLocalStore, LocalStore } from "./store";
export type { Status, SyncStatus } from "./status";
export type { StoreOptions, UnsyncedChoice } from "./store";
export type { Edit } from "./storage/outbox";
export type { Condition } from "./storage/queries";
export type { Surroundings } from "./surroundings";
export type { Auth } from "./sync/tokens";
