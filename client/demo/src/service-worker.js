/* global VERSION, FILES, Response, URL, caches, clients, fetch, self */
// Keeps the app's own files. What goes to the hub is not touched: the store knows what to do about
// a missing network. Shows what the hub pushes. The build puts VERSION and FILES in front.
import { onNotificationClick, onPush, onPushSubscriptionChange } from "@syncline/sdk/push-worker";

const CACHE = `todo-${VERSION}`;
/** In the cache: the ids of the pages that were open when this version took over. */
const OLD_PAGES = "/old-pages";
const pathOf = (name) => new URL(name === "index.html" ? "./" : name, self.location.href).pathname;
const paths = new Set(FILES.map(pathOf));
const assets = pathOf("assets/");

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...paths])));
});

// A new version takes over when no page of the old one is open, or when somebody asks for it. Then
// pages of the old one may be open, and still ask for its parts.
self.addEventListener("activate", (event) => {
  const takeOver = async () => {
    const cache = await caches.open(CACHE);
    const open = (await pages()).map(({ id }) => id);
    await cache.put(OLD_PAGES, new Response(JSON.stringify(open)));
    await tidy();
    await clients.claim();
  };
  event.waitUntil(takeOver());
});

self.addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(self.skipWaiting());
  if (event.data === "started") event.waitUntil(tidy());
});

const pages = () => clients.matchAll({ type: "window", includeUncontrolled: true });

/** Deletes what former versions kept, unless a page of theirs is open. */
async function tidy() {
  const mine = await caches.open(CACHE);
  const kept = await mine.match(OLD_PAGES);
  const before = new Set(kept ? await kept.json() : []);
  if ((await pages()).some(({ id }) => before.has(id))) return;
  const others = (await caches.keys()).filter((name) => name.startsWith("todo-") && name !== CACHE);
  // What waits to take over is not a former version, and deletes this one's itself.
  if (self.registration.installing || self.registration.waiting) return;
  await Promise.all(others.map((name) => caches.delete(name)));
}

const LOOK = { icon: "./icon.svg", unreadable: { title: "Todo", body: "Something is new." } };
self.addEventListener("push", (event) => onPush(event, LOOK));
self.addEventListener("pushsubscriptionchange", (event) => onPushSubscriptionChange(event));

// A reminder was tapped: to a page of the app that is open, or a new one, at its task.
self.addEventListener("notificationclick", (event) => {
  const home = new URL("./", self.location.href).href;
  onNotificationClick(event, {
    isApp: ({ pathname }) => isApp(pathname),
    url: (data) => {
      const task = taskOf(data);
      return task ? `${home}#/all?task=${encodeURIComponent(task)}` : home;
    },
    message: (data) => {
      const task = taskOf(data);
      return task && { open: task };
    },
  });
});

/** The task that a notification is about: of a page's own, or of the hub's if it is about one. */
const taskOf = ({ task, items = [] }) => task ?? (items.length === 1 ? items[0].task : null);

const isApp = (path) => path === pathOf("index.html") || path.endsWith("/index.html");

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  const path = isApp(pathname) ? pathOf("index.html") : pathname;
  if (paths.has(path)) event.respondWith(kept(request, path));
  // A part of a former version, which the hub no longer has; it is named by what is in it.
  else if (path.startsWith(assets))
    event.respondWith(caches.match(path).then((found) => found ?? fetch(request)));
});

async function kept(request, path) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request);
}
