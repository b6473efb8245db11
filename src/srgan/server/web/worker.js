// Keeps the page for when the service is not there, so that it opens and says so.

const NAME = "page";

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open(NAME);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone());
    return fresh;
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
  const isWork = new URL(request.url).pathname.startsWith("/v1/"); // which only the service does
  if (request.method === "GET" && !isWork) /** @type {any} */ (event).respondWith(answer(request));
});
