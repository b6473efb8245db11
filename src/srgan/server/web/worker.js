// Keeps the page for when the service is not there, so that it opens and says so.

const NAME = "page";
const FACTS = ["/health", "/livez", "/readyz", "/metrics"]; // of the service now, never of the past

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open(NAME);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone());
    // A proxy answers for a service that is gone.
    return fresh.status < 500 ? fresh : ((await cache.match(request)) ?? fresh);
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}

// The page that brought it is looked after, too, and not only those that come later.
addEventListener("activate", (event) => /** @type {any} */ (event).waitUntil(/** @type {any} */ (self).clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = /** @type {any} */ (event);
  const { pathname } = new URL(request.url);
  const isLive = pathname.startsWith("/v1/") || FACTS.includes(pathname); // which only the service knows
  if (request.method === "GET" && !isLive) /** @type {any} */ (event).respondWith(answer(request));
});
