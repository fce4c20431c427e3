// Latest pictures for many tiles: a few requests at a time, only for tiles in sight, so that forty cameras load none down.
import { address } from "../dom.js";

const AT_ONCE = 3; // a browser opens six connections to one host; the rest must stay free
const EVERY_MS = 2500;

/** Returns {add(element, pathOf, show), close}; `pathOf()` gives the path to fetch now, or null for none. */
export function snapshotQueue() {
  const entries = new Set();
  const observer = new IntersectionObserver((changes) => {
    for (const change of changes) {
      const entry = [...entries].find((one) => one.element === change.target);
      if (entry) entry.isInSight = change.isIntersecting;
    }
  });
  let running = 0;
  const timer = setInterval(next, 200);

  function next() {
    if (document.hidden) return;
    const now = performance.now();
    const due = [...entries].filter((one) => one.isInSight && !one.isBusy && now - one.atMs > EVERY_MS && one.pathOf());
    due.sort((one, other) => one.atMs - other.atMs);
    for (const entry of due.slice(0, Math.max(0, AT_ONCE - running))) fetchOne(entry);
  }

  async function fetchOne(entry) {
    entry.isBusy = true;
    running += 1;
    try {
      const response = await fetch(address(entry.pathOf()));
      if (response.ok && entries.has(entry)) {
        const url = URL.createObjectURL(await response.blob());
        entry.show(url);
        if (entry.url) URL.revokeObjectURL(entry.url);
        entry.url = url;
      }
    } catch {
      // The camera or the server is away: the tile's state says so, and the next turn tries again.
    } finally {
      entry.atMs = performance.now();
      entry.isBusy = false;
      running -= 1;
    }
  }

  return {
    add(element, pathOf, show) {
      const entry = { element, pathOf, show, isInSight: false, isBusy: false, atMs: -Infinity, url: null };
      entries.add(entry);
      observer.observe(element);
      return {
        close() {
          entries.delete(entry);
          observer.unobserve(element);
          if (entry.url) URL.revokeObjectURL(entry.url);
        },
      };
    },
    close() {
      clearInterval(timer);
      observer.disconnect();
      for (const entry of entries) if (entry.url) URL.revokeObjectURL(entry.url);
      entries.clear();
    },
  };
}
