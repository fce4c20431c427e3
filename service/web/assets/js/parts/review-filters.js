// What the review page is searched by; each change is told at once.
import { field } from "../dialog.js";
import { h } from "../dom.js";
import { words } from "../format.js";

const SEVERITIES = [["", "Any"], ["alarm", "Alarm"], ["warning", "Warning"], ["info", "Info"]];
const SEEN = [["", "All"], ["false", "Not seen"], ["true", "Seen"]];
const WAIT_MS = 350;

/** `state`: as `readState` gives it. `changed(changes)`: name → value, "" for none. Returns {element, set(state)}. */
export function createReviewFilters({ catalog, streams, state, changed }) {
  const zones = [...new Set(streams.flatMap((stream) => (stream.zones ?? []).map((zone) => zone.name)))].sort();
  const tell = (name, value) => changed({ [name]: value });
  const select = (name, options) =>
    h(
      "select",
      { name, onchange: (event) => tell(name, event.target.value) },
      withHeld(options, state[name]).map(([value, label]) => h("option", { value, selected: (state[name] ?? "") === value }, label)),
    );
  const number = (name, props) =>
    h("input", { name, type: "number", inputmode: "numeric", oninput: soon((value) => tell(name, value)), ...props });
  const time = (name) => h("input", { name, type: "time", onchange: (event) => tell(name, event.target.value) });
  const controls = {
    stream: select("stream", [["", "All"], ...streams.map((stream) => [stream.stream_id, stream.name])]),
    action: select("action", [["", "All"], ...[...catalog.actions.keys()].map((action) => [action, words(action)])]),
    zone: select("zone", [["", "Anywhere"], ...zones.map((zone) => [zone, zone])]),
    track: number("track", { min: "0", placeholder: "Anybody" }),
    severity: select("severity", SEVERITIES),
    acknowledged: select("acknowledged", SEEN),
    min_score: number("min_score", {
      min: "0",
      max: "100",
      step: "5",
      placeholder: "0",
      oninput: soon((value) => tell("min_score", value && String(Math.min(100, Math.max(0, Number(value))) / 100))),
    }),
    from: time("from"),
    to: time("to"),
  };
  const labels = { stream: "Camera", action: "Action", zone: "Zone", track: "Person", severity: "Severity", acknowledged: "Seen", min_score: "Score from, %", from: "From", to: "To" };
  const form = h(
    "form",
    { class: "filters review-filters", role: "search", "aria-label": "Search", onsubmit: (event) => event.preventDefault() },
    Object.entries(controls).map(([name, control]) => field(labels[name], control)),
  );
  const set = (now) => {
    for (const [name, control] of Object.entries(controls)) {
      if (control === document.activeElement) continue;
      control.value = name === "min_score" && now[name] ? String(Math.round(Number(now[name]) * 100)) : (now[name] ?? "");
    }
  };
  set(state);
  // On a phone the day comes first: the search is folded until it is used.
  const isUsed = Object.keys(controls).some((name) => state[name]);
  const element = h(
    "details",
    { class: "review-search", open: isUsed || matchMedia("(min-width: 761px)").matches },
    h("summary", {}, "Search"),
    form,
  );
  return { element, set };
}

/** A camera, zone or action that is gone stays in the search that names it. */
function withHeld(options, held) {
  return !held || options.some(([value]) => value === held) ? options : [...options, [held, words(held)]];
}

function soon(run) {
  let timer = 0;
  return ({ target }) => {
    clearTimeout(timer);
    timer = setTimeout(() => target.validity.valid && run(target.value), WAIT_MS);
  };
}
