/**
 * Notifications in a service worker: what is pushed is shown, once on this device; what is tapped leads
 * to the app; a subscription that the browser gives up is renewed by the app's next page.
 *
 *     self.addEventListener("push", (event) => onPush(event));
 *     self.addEventListener("notificationclick", (event) => onNotificationClick(event));
 *     self.addEventListener("pushsubscriptionchange", onPushSubscriptionChange);
 */
import { claimShow, markStale } from "./kept.js";
import { readPayload, type NotificationItem, type PushPayload } from "./message.js";
import { CLICK, RENEW } from "./words.js";

export { claim } from "./kept.js";
export { readPayload, type NotificationItem, type PushPayload } from "./message.js";

/** As much of a service worker's events as is needed here. */
export interface Waiting {
  waitUntil(work: Promise<unknown>): void;
}
export interface Pushed extends Waiting {
  data: { text(): string } | null;
}
export interface Clicked extends Waiting {
  notification: Pick<Notification, "close" | "data">;
}

/** `data` of a notification that was shown here. */
export interface ShownData {
  app: string;
  /** The notification's id, which is its `tag` too. */
  id: string;
  kind: string;
  items: NotificationItem[];
}

export interface PushLook {
  /** Addresses of pictures. */
  icon?: string;
  badge?: string;
  /** What is shown of what cannot be read. */
  unreadable?: { title: string; body: string };
}

export interface ClickLeads {
  /** Whether a page is the app's; by default all that the worker's scope holds. */
  isApp?(url: URL): boolean;
  /** Where the app is opened if no page is; by default at the scope. */
  url?(data: Partial<ShownData>): string;
  /**
   * What a page that is open is told, nothing if that is `null` or `undefined`; by default
   * `{ syncline: "notification-click", data }`.
   */
  message?(data: Partial<ShownData>): unknown;
}

interface PageClient {
  readonly url: string;
  readonly focused: boolean;
  focus(): Promise<unknown>;
  postMessage(message: unknown): void;
}

/** As much of a service worker's surroundings. */
interface WorkerScope {
  registration: Pick<ServiceWorkerRegistration, "showNotification" | "getNotifications" | "scope">;
  clients: {
    matchAll(of: { type: "window"; includeUncontrolled: true }): Promise<readonly PageClient[]>;
    openWindow(url: string): Promise<unknown>;
  };
}

const UNREADABLE = { title: "Something is new", body: "Open the app to see it." };
const UNREADABLE_TAG = "syncline-unreadable";

const worker = () => self as unknown as WorkerScope;

/** Shows one notification, whatever was pushed: browsers end the subscription of who shows none. */
export function onPush(event: Pushed, look: PushLook = {}): void {
  event.waitUntil(tell(event.data?.text(), look));
}

async function tell(text: string | undefined, { icon, badge, unreadable }: PushLook) {
  const payload = readPayload(text);
  if (!payload) {
    console.warn("a push could not be read");
    const { title, body } = unreadable ?? UNREADABLE;
    return show(title, { body, icon, badge, tag: UNREADABLE_TAG });
  }
  const { id, app, kind, title, body, items, at, language } = payload;
  const isNew = await claimShow(app, payload);
  const data: ShownData = { app, id, kind, items };
  const told = Date.parse(at);
  return show(title, {
    body,
    icon,
    badge,
    data,
    // Under one tag a browser shows one: what was shown takes the place of itself, without a sound.
    tag: isNew ? id : ((await shownOf(payload)) ?? id),
    silent: !isNew,
    renotify: isNew,
    ...(language !== "" && { lang: language }),
    ...(!Number.isNaN(told) && { timestamp: told }),
  });
}

/** Beside what TypeScript knows of. */
type Look = NotificationOptions & { renotify?: boolean; timestamp?: number };

const show = (title: string, look: Look) => worker().registration.showNotification(title, look);

/** The tag of what is shown of it still, by whom ever: a page may have told of the same thing. */
async function shownOf({ items }: PushPayload): Promise<string | undefined> {
  const keys = new Set(items.map(({ key }) => key));
  const all = await worker().registration.getNotifications();
  const same = all.find(({ data }) =>
    (data as Partial<ShownData> | null)?.items?.some(({ key }) => keys.has(key)),
  );
  return same?.tag || undefined;
}

/** Closes it, and leads to a page of the app that is open, or to a new one. */
export function onNotificationClick(event: Clicked, leads: ClickLeads = {}): void {
  const { notification } = event;
  notification.close();
  event.waitUntil(lead((notification.data ?? {}) as Partial<ShownData>, leads));
}

async function lead(data: Partial<ShownData>, { isApp, url, message }: ClickLeads) {
  const { registration } = worker();
  const isOwn = isApp ?? (({ href }: URL) => href.startsWith(registration.scope));
  const apps = (await pages()).filter((page) => isOwn(new URL(page.url)));
  const page = apps.find(({ focused }) => focused) ?? apps[0];
  if (!page) return worker().clients.openWindow(url?.(data) ?? registration.scope);
  await page.focus();
  const told = message ? message(data) : { syncline: CLICK, data };
  if (told !== null && told !== undefined) page.postMessage(told);
}

/**
 * Has a page of the app register again: one that is open, at once; else the next one, by what is
 * remembered here. The worker itself has no token.
 */
export function onPushSubscriptionChange(event: Waiting): void {
  const renew = async () => {
    // What cannot be remembered an open page may still do.
    await markStale().catch((error: unknown) => console.warn(error));
    for (const page of await pages()) page.postMessage({ syncline: RENEW });
  };
  event.waitUntil(renew());
}

const pages = () => worker().clients.matchAll({ type: "window", includeUncontrolled: true });
