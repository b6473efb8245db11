// Has the page loaded once more with the headers that allow threads, if it came without them.

const MARK = "isolated"; // so that it is tried once, whatever a browser makes of it
const PATIENCE = 8000; // milliseconds for the worker to start

async function install() {
  await navigator.serviceWorker.register("isolation.js");
  await navigator.serviceWorker.ready;
  return true;
}

/** @returns {Promise<void>} Ends when the page can be used as it is; never, if it is loaded again. */
export async function allowThreads() {
  if (crossOriginIsolated || !navigator.serviceWorker) return;
  try {
    if (sessionStorage.getItem(MARK)) return;
    sessionStorage.setItem(MARK, "tried");
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, false));
    if (!(await Promise.race([install(), late]))) return;
  } catch {
    return; // one thread does it, too
  }
  location.reload();
  await new Promise(() => {});
}
