/* global VERSION, FILES, caches, clients, self */
// Keeps the app's own files. What goes to the hub is not touched: the store knows what to do about
// a missing network. The build puts VERSION and FILES in front.

const CACHE = `todo-${VERSION}`;
const pathOf = (name) => new URL(name === "index.html" ? "./" : name, self.location.href).pathname;
const paths = new Set(FILES.map(pathOf));

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([...paths])));
});

// A new version takes over when no page of the old one is open, which may still ask for its parts.
self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("todo-") && name !== CACHE;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  const path = pathname.endsWith("/index.html") ? pathOf("index.html") : pathname;
  if (!paths.has(path)) return;
  const kept = caches.open(CACHE).then((cache) => cache.match(path));
  event.respondWith(kept.then((found) => found ?? fetch(request)));
});
