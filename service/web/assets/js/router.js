// One page at a time, named by the hash; a page is a function that fills main and returns its clean-up.
import { closeDialogs } from "./dialog.js";
import { h } from "./dom.js";
import { dropNotices, problemBox } from "./notify.js";

/**
 * Follow the address. `routes`: [[pattern, load]], pattern like "/videos/:id", load a function that returns the
 * page's `open(main, params)`. `changed(path)` runs after each change.
 */
export function startRouter(main, routes, changed) {
  let close = () => {};
  let turn = 0;
  async function follow() {
    const mine = ++turn;
    closeDialogs();
    dropNotices();
    const path = current();
    const [load, params] = match(routes, path) ?? match(routes, "/");
    const open = await load().catch(() => unloaded);
    if (mine !== turn) return;
    close();
    main.replaceChildren();
    close = open(main, params) ?? (() => {});
    changed(path);
    if (mine > 1) moveFocus(main);
  }
  addEventListener("hashchange", follow);
  return follow();
}

/** The path in the address, without its query. */
export function current() {
  return decodeURI(location.hash.replace(/^#/, "").split("?")[0]) || "/";
}

/** The query in the address. */
export function query() {
  return new URLSearchParams(location.hash.split("?")[1] ?? "");
}

/** Go to a path. */
export function go(path) {
  location.hash = path;
}

function unloaded(main) {
  const error = { message: "A part of this page could not be fetched. Is the server still running?" };
  main.append(h("h1", {}, "No connection"), problemBox(error, { retry: () => location.reload() }));
}

function match(routes, path) {
  const parts = path.split("/").filter(Boolean);
  for (const [pattern, load] of routes) {
    const wanted = pattern.split("/").filter(Boolean);
    if (wanted.length !== parts.length) continue;
    const params = {};
    const fits = wanted.every((name, index) => {
      if (!name.startsWith(":")) return name === parts[index];
      params[name.slice(1)] = parts[index];
      return true;
    });
    if (fits) return [load, params];
  }
  return null;
}

function moveFocus(main) {
  // A screen reader must land on the new page; without this the focus stays on a link that may be gone.
  const heading = main.querySelector("h1");
  scrollTo(0, 0);
  if (!heading) return main.focus();
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
