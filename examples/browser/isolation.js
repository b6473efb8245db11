// A service worker that gives the page's files the two headers with which browsers allow threads,
// where the server of static files does not; and that keeps them, for when there is no server.

const STORE = "page";
const HEADERS = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open(STORE);
  const found = await fetch(request).catch(async (error) => {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  });
  if (found.status === 0) return found; // of another kind, whose headers nobody sees
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const given = new Response(found.body, { status: found.status, statusText: found.statusText, headers });
  if (found.status === 200) await cache.put(request.url.split("?")[0], given.clone()).catch(() => {}); // as where there is no room
  return given;
}

const scope = /** @type {any} */ (globalThis);
scope.addEventListener("install", () => scope.skipWaiting());
scope.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});
