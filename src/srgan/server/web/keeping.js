// Has a service worker keep the page, for when the service is not there.

export function keepPage() {
  const workers = navigator.serviceWorker; // without it, the page works all the same
  // Its first one comes after the page, whose parts may still be on their way then: it keeps what it is
  // asked for, so each part is asked for once more when it is there.
  workers?.addEventListener("controllerchange", () => {
    const asked = new Set();
    /** @param {string} address */
    const keep = (address) => {
      if (asked.has(address) || !address.startsWith(`${location.origin}/`) || address.includes("/v1/")) return;
      asked.add(address);
      fetch(address).catch(() => {});
    };
    keep(location.href);
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(({ name }) => keep(name)));
    observer.observe({ type: "resource", buffered: true });
  });
  workers?.register("worker.js").catch(() => {});
}
