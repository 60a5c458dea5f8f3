/** Has this browser be told by Web Push, and keeps it so: subscribing, and telling the hub of it. */
import { SynclineError } from "../core/errors.js";
import { addDevice, devices, removeDevice, type Device } from "./hub.js";
import { forgetRegistered, keepRegistered, registered, type Registered } from "./kept.js";
import type { HubAccess } from "./rest.js";
import { RENEW } from "./words.js";

export interface PushOptions extends HubAccess {
  /** Of the service worker that answers pushes. It serves one app and account. */
  registration: ServiceWorkerRegistration;
  /** What the user may call this device. */
  name?: string;
  /** In which it is told, if not in the user's language. */
  language?: string;
}

/**
 * Asks the user if that was not done, subscribes, and tells the hub. To be called where the user has
 * pressed something: browsers ask nobody out of the blue. The same again changes nothing. Errors:
 * `push_unsupported`, `push_denied`, `push_unavailable`, and those of `addDevice`.
 */
export async function registerPush(options: PushOptions): Promise<Device> {
  const { registration, name, language, ...access } = options;
  // Before anything is waited for: a press counts only for a moment.
  await mayShow();
  const { pushManager } = registration as Partial<ServiceWorkerRegistration>;
  if (!pushManager) throw unsupported();
  const { publicKey } = await devices(access);
  if (!publicKey) throw new SynclineError("push_unavailable", "the hub has no key for Web Push");
  const subscription = await subscribe(pushManager, bytesOf(publicKey));
  const device = await addDevice(access, {
    kind: "push",
    subscription: subscription.toJSON(),
    name,
    language,
  });
  const { app } = access;
  const before = await registered(app).catch(() => undefined);
  const { endpoint } = subscription;
  const row = { app, device: device.id, endpoint, isStale: false, again: before?.again };
  // Without it the device is told all the same, until the browser gives the subscription up.
  await keepRegistered(row).catch(() => {});
  // The hub would find out by itself that nobody is there any more.
  if (before && before.device !== device.id)
    await removeDevice(access, before.device).catch(() => {});
  return device;
}

/**
 * Has this device be told nothing any more, also where this fails: its subscription is ended first.
 * Whoever signs out is to be unregistered before. Errors: those of `removeDevice` but `device_unknown`.
 */
export async function unregisterPush({ registration, ...access }: PushOptions): Promise<void> {
  await (await subscriptionOf(registration))?.unsubscribe();
  const row = await registered(access.app).catch(() => undefined);
  await forgetRegistered(access.app).catch(() => {});
  if (!row) return;
  try {
    await removeDevice(access, row.device);
  } catch (error) {
    if ((error as SynclineError).code !== "device_unknown") throw error;
  }
}

/** As which device this one is told by Web Push, as far as it knows; `undefined`: it is not. */
export async function registeredAs(
  registration: ServiceWorkerRegistration,
  app: string,
): Promise<string | undefined> {
  const row = await registered(app).catch(() => undefined);
  if (!row || row.isStale) return undefined;
  const endpoint = (await subscriptionOf(registration))?.endpoint;
  return endpoint === row.endpoint ? row.device : undefined;
}

/**
 * Has a device that was registered stay so, without asking anybody: where the browser has given the
 * subscription up, or the hub has another key, with a new one; where the hub has lost the device, since
 * a push service or a proxy told it that nobody is there, again. What the user's other devices have
 * removed meanwhile is given up here too. True if it is registered then. Errors: those of `registerPush`,
 * `quota`, `storage`; then what is tried next is as if nothing was.
 */
export async function renewPush(options: PushOptions): Promise<boolean> {
  const { registration, app } = options;
  const row = await registered(app).catch(() => undefined);
  if (row === undefined || permission() !== "granted") return false;
  const there = await devices(options);
  if (there.forgotten?.includes(row.device)) {
    await (await subscriptionOf(registration))?.unsubscribe();
    await forgetRegistered(app).catch(() => {});
    return false;
  }
  const own = await registeredAs(registration, app);
  const isLost = own !== undefined && !there.devices.some(({ id }) => id === own);
  if (isLost && !(await mayRegisterAgain(row, registration))) return false;
  try {
    await registerPush(options);
  } catch (error) {
    // It was not told, so it has lost nothing again.
    if (isLost) await keepRegistered(row).catch(() => {});
    throw error;
  }
  return true;
}

/** Until a device that the hub loses is registered again once more, in milliseconds. */
const AGAIN_AFTER_MS = 24 * 3_600_000;

/**
 * Has a device that the hub lost made ready for being registered again; false if it is to wait. What the
 * hub was told may be a lie, so the first time it is the same subscription, and if that is lost too, there
 * is nobody behind it and it is ended. That is remembered first, and begins once in a day: a hub that
 * loses whatever it is told of is asked twice in a day, not at each start. Errors: `quota`, `storage`.
 */
async function mayRegisterAgain(
  row: Registered,
  registration: ServiceWorkerRegistration,
): Promise<boolean> {
  const { endpoint, again } = row;
  if (again?.endpoint === endpoint) {
    await (await subscriptionOf(registration))?.unsubscribe();
    return true;
  }
  const sinceMs = Date.now() - (again?.at ?? -Infinity);
  // One that lies ahead is of a clock that was wrong.
  if (sinceMs >= 0 && sinceMs < AGAIN_AFTER_MS) return false;
  await keepRegistered({ ...row, again: { endpoint, at: Date.now() } });
  return true;
}

/**
 * For as long as a page is open: `renewPush` now, and whenever the worker says so. What fails is tried
 * again at the next start. Returns what ends it.
 */
export function keepPush(
  options: PushOptions,
  failed: (error: unknown) => void = () => {},
  container: Pick<
    EventTarget,
    "addEventListener" | "removeEventListener"
  > = navigator.serviceWorker,
): () => void {
  const renew = () => void renewPush(options).catch(failed);
  const heard = (event: Event) => {
    if ((event as MessageEvent<{ syncline?: string } | null>).data?.syncline === RENEW) renew();
  };
  container.addEventListener("message", heard);
  renew();
  return () => container.removeEventListener("message", heard);
}

const permission = (): NotificationPermission | undefined => globalThis.Notification?.permission;

async function mayShow(): Promise<void> {
  if (permission() === undefined) throw unsupported();
  const now = permission() === "default" ? await Notification.requestPermission() : permission();
  if (now !== "granted") throw new SynclineError("push_denied", "the user allows no notifications");
}

const unsupported = () =>
  new SynclineError("push_unsupported", "this browser has no Web Push, or not for this page");

async function subscriptionOf({ pushManager }: Partial<ServiceWorkerRegistration>) {
  return (await pushManager?.getSubscription()) ?? null;
}

/** One of the hub's key: one of a former key can be sent nothing. */
async function subscribe(
  pushManager: PushManager,
  key: Uint8Array<ArrayBuffer>,
): Promise<PushSubscription> {
  const before = await pushManager.getSubscription();
  const former = before?.options?.applicationServerKey;
  const isKnown = former !== null && former !== undefined;
  if (before && isKnown && !isSame(new Uint8Array(former), key)) await before.unsubscribe();
  const subscribed = () =>
    pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  try {
    return await subscribed().catch(async (error: unknown) => {
      // Some browsers do not say of which key it was.
      if (!before || isKnown || nameOf(error) !== "InvalidStateError") throw error;
      await before.unsubscribe();
      return subscribed();
    });
  } catch (cause) {
    if (nameOf(cause) === "NotAllowedError")
      throw new SynclineError("push_denied", "the user allows no notifications", { cause });
    const message = `the browser's push service gives no subscription: ${String(cause)}`;
    throw new SynclineError("push_unavailable", message, { cause });
  }
}

const nameOf = (error: unknown) => (error as Partial<Error> | null)?.name;

const isSame = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, at) => byte === b[at]);

/** Of base64url. Errors: `protocol`. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  try {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch (cause) {
    throw new SynclineError("protocol", "the hub's key is none", { cause });
  }
}
