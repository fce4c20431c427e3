// Short notices in the corner, and errors in place.
import { announce, h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_MS = 6000;

/**
 * Show a notice; an error stays until it is closed. Each goes with its page; `outlives`: it tells of what led away from
 * the page, and stays its time on the next one. Returns a function that removes it.
 */
export function notify(text, { kind = "info", action = null, outlives = false } = {}) {
  const box = h(
    "div",
    { class: "notice", dataset: { kind, outlives }, role: kind === "error" ? "alert" : null },
    h("div", {}, text),
  );
  const remove = () => box.remove();
  if (action)
    box.append(
      h("button", { class: "button small", type: "button", onclick: () => (action.run(), remove()) }, action.label),
    );
  box.append(
    h(
      "button",
      { class: "button plain small icon", type: "button", "aria-label": "Close notice", onclick: remove },
      icon("close", 16),
    ),
  );
  const shown = document.getElementById("notices");
  while (shown.children.length >= 4) shown.firstElementChild.remove();
  shown.append(box);
  if (kind !== "error") {
    announce(text);
    setTimeout(remove, SHOWN_MS);
  }
  return remove;
}

/** Remove the notices of the page that is left. */
export function dropNotices() {
  for (const box of document.querySelectorAll('.notice[data-outlives="false"]')) box.remove();
}

/** A problem shown where it happened; `retry` adds a button. */
export function problemBox(error, { title = null, retry = null } = {}) {
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("strong", {}, title ?? error.title ?? "This did not work"),
    h("span", {}, error.message),
    error.code ? h("span", {}, " ", h("code", {}, error.code)) : null,
    retry ? h("div", {}, h("button", { class: "button small", type: "button", onclick: retry }, "Try again")) : null,
  );
}
