// The actions of a result with how long each lasted; each is a switch that hides its bars and rows.
import { fill, h } from "../dom.js";
import { duration, words } from "../format.js";
import { colourOf } from "../palette.js";

/** `onHidden(actions)` gets the Set of hidden actions. Returns {element, setRows}. */
export function createLegend({ onHidden }) {
  const hidden = new Set();
  const element = h("ul", { class: "legend", "aria-label": "Actions" });
  return {
    element,
    setRows(rows) {
      fill(
        element,
        totals(rows).map(([action, { seconds, quality }]) => chip(action, seconds, quality, hidden, onHidden)),
      );
    },
  };
}

/** A swatch in an action's colour, hatched when the action is experimental. */
export function swatch(action, quality) {
  return h("span", {
    class: "swatch",
    "aria-hidden": "true",
    dataset: { quality: quality ?? "" },
    style: { "--action": colourOf(action) },
  });
}

function totals(rows) {
  const sums = new Map();
  for (const segment of rows.flatMap((row) => row.segments)) {
    const sum = sums.get(segment.action) ?? { seconds: 0, quality: segment.quality };
    sum.seconds += segment.endS - segment.startS;
    sums.set(segment.action, sum);
  }
  return [...sums].sort(([, one], [, other]) => other.seconds - one.seconds);
}

function chip(action, seconds, quality, hidden, onHidden) {
  const button = h(
    "button",
    { type: "button", class: "chip", "aria-pressed": String(!hidden.has(action)), onclick },
    swatch(action, quality),
    h("span", {}, words(action)),
    h("span", { class: "faint figure" }, duration(seconds)),
  );
  return h("li", {}, button);
  function onclick() {
    if (!hidden.delete(action)) hidden.add(action);
    button.setAttribute("aria-pressed", String(!hidden.has(action)));
    onHidden(new Set(hidden));
  }
}
