// What was found in a video, in one line: alarms first, then warnings, then what was done most often.
import { h } from "../dom.js";
import { words } from "../format.js";
import { swatch } from "./legend.js";

const RANKS = ["alarm", "warning"];
const MOST_SHOWN = 6;

/** `actions`: Map of action → how often, or null where that is not known. */
export function actionSummary(actions, catalog) {
  const rank = (action) => (RANKS.indexOf(catalog.actions.get(action)?.severity) + RANKS.length + 1) % (RANKS.length + 1);
  const sorted = [...actions].sort(
    ([one, times], [other, otherTimes]) => rank(one) - rank(other) || otherTimes - times || one.localeCompare(other),
  );
  const left = sorted.length - MOST_SHOWN;
  return h(
    "ul",
    { class: "found", "aria-label": "Actions found" },
    sorted.slice(0, MOST_SHOWN).map(([action, times]) => one(action, times, catalog)),
    left > 0 ? h("li", { class: "faint" }, `and ${left} more`) : null,
  );
}

function one(action, times, catalog) {
  const { quality, severity } = catalog.actions.get(action) ?? {};
  const tone = severity === "alarm" || severity === "warning" ? severity : null;
  return h(
    "li",
    { class: tone ? "tag" : "", dataset: { tone: tone ?? "" } },
    tone ? null : swatch(action, quality),
    words(action),
    times > 1 ? h("span", { class: "faint figure" }, `×\u00a0${times}`) : null,
  );
}
