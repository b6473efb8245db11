// Has the page loaded once more with the headers that allow threads, if it came without them.

const MARK = "isolated"; // so that it is tried once, whatever a browser makes of it

/** @returns {Promise<void>} Ends when the page can be used as it is; never, if it is loaded again. */
export async function allowThreads() {
  if (crossOriginIsolated || !navigator.serviceWorker) return;
  try {
    if (sessionStorage.getItem(MARK)) return;
    sessionStorage.setItem(MARK, "tried");
    await navigator.serviceWorker.register("isolation.js");
    await navigator.serviceWorker.ready;
  } catch {
    return; // one thread does it, too
  }
  location.reload();
  await new Promise(() => {});
}
