/* global VERSION, FILES, Response, URL, caches, clients, fetch, self */
// Keeps the app's own files. What goes to the hub is not touched: the store knows what to do about
// a missing network. The build puts VERSION and FILES in front.

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

// A reminder was tapped: to a page of the app that is open, or a new one, at its task.
self.addEventListener("notificationclick", (event) => {
  const { notification } = event;
  notification.close();
  const task = notification.data?.task;
  const home = new URL("./", self.location.href);
  const open = async () => {
    const apps = (await pages()).filter(({ url }) => isApp(new URL(url).pathname));
    const page = apps.find(({ focused }) => focused) ?? apps[0];
    if (!page)
      return clients.openWindow(task ? `${home}#/all?task=${encodeURIComponent(task)}` : home.href);
    await page.focus();
    if (task) page.postMessage({ open: task });
  };
  event.waitUntil(open());
});

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
