// All events: filtered, live, opened one by one.
import { loadCatalog } from "../catalog.js";
import { beginOf } from "../days.js";
import { field } from "../dialog.js";
import { closers, fill, h } from "../dom.js";
import { RULE_ACTIONS, words } from "../format.js";
import { openChannel } from "../live.js";
import { createEventList } from "../parts/event-list.js";
import { query } from "../router.js";
import { allStreams } from "../streams.js";

const STATES = [
  ["", "Any"],
  ["confirmed", "Going on"],
  ["ended", "Over"],
];
const SEVERITIES = [
  ["", "Any"],
  ["alarm", "Alarm"],
  ["warning", "Warning"],
  ["info", "Info"],
];
const SEEN = [
  ["", "All"],
  ["false", "Not seen"],
  ["true", "Seen"],
];

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Events – Actogram";
  const end = closers();
  const host = h("div", {});
  main.append(h("div", { class: "page-head item" }, h("h1", {}, "Events")), host);
  let isOpen = true;
  end.add(() => (isOpen = false));
  Promise.all([loadCatalog(), allStreams().catch(() => [])]).then(([catalog, streams]) => {
    if (isOpen) build(host, end, catalog, streams);
  });
  return end.close;
}

function build(host, end, catalog, streams) {
  const names = new Map(streams.map((stream) => [stream.stream_id, stream.name]));
  const filters = filterBar(catalog, streams, () => list.load());
  const list = createEventList({
    params: () => filters.params(),
    accepts: (event) => filters.accepts(event),
    nameOf: (id) => names.get(id) ?? id ?? "a video",
    catalog,
    empty: [
      h("h2", {}, "No events"),
      h(
        "p",
        {},
        "An event is one action of one person, from its beginning to its end. They appear here while cameras run; loosen the filter if you expected some.",
      ),
    ],
  });
  const channel = openChannel(
    { jobs: [], messages: ["action", "clip"] },
    {
      onMessage: (message) => take(list, message),
      onReset: () => list.load(),
    },
  );
  end.add(channel.close);
  fill(host, filters.element, list.element);
  list.load();
}

/** A live message as the list's event. */
export function take(list, message) {
  if (message.type.startsWith("action.")) list.upsert({ stream_id: message.stream_id, ...message.data });
  else if (message.data.event_id)
    list.upsert({ event_id: message.data.event_id, clip_state: message.type === "clip.ready" ? "ready" : "failed" });
}

function filterBar(catalog, streams, changed) {
  const held = query();
  const select = (name, options) =>
    h(
      "select",
      { name, onchange: apply },
      options.map(([value, label]) => h("option", { value, selected: held.get(name) === value }, label)),
    );
  const day = (name) => h("input", { name, type: "date", max: "9999-12-31", onchange: apply, value: held.get(name) ?? "" });
  const controls = {
    from: day("from"),
    to: day("to"),
    stream: select("stream", [["", "All"], ...streams.map((stream) => [stream.stream_id, stream.name])]),
    action: select("action", [["", "All"], ...[...catalog.actions.keys(), ...RULE_ACTIONS].map((action) => [action, words(action)])]),
    state: select("state", STATES),
    severity: select("severity", SEVERITIES),
    acknowledged: select("acknowledged", SEEN),
    min_score: h("input", {
      name: "min_score",
      type: "number",
      min: "0",
      max: "100",
      step: "5",
      placeholder: "0",
      inputmode: "numeric",
      onchange: apply,
      value: held.has("min_score") ? String(Number(held.get("min_score")) * 100) : "",
    }),
  };
  const labels = {
    from: "From",
    to: "To",
    stream: "Camera",
    action: "Action",
    state: "State",
    severity: "Severity",
    acknowledged: "Seen",
    min_score: "Score from, %",
  };
  const element = h(
    "form",
    { class: "filters", "aria-label": "Filter", onsubmit: (event) => event.preventDefault() },
    Object.entries(controls).map(([name, control]) => field(labels[name], control)),
  );
  return { element, params, accepts };

  /** What the address holds: days as they were chosen. */
  function chosen() {
    const wanted = new URLSearchParams();
    for (const [name, control] of Object.entries(controls)) {
      if (control.value) wanted.set(name, name === "min_score" ? String(Number(control.value) / 100) : control.value);
    }
    return wanted;
  }

  /** What the service is asked for: the first day from its begin, the last one to its end. */
  function params() {
    const wanted = chosen();
    const bounds = { since: beginOf(wanted.get("from")), until: beginOf(wanted.get("to"), 1) };
    for (const name of ["from", "to"]) wanted.delete(name);
    for (const [name, time] of Object.entries(bounds)) if (time) wanted.set(name, time);
    return wanted;
  }

  function accepts(event) {
    const wanted = params();
    const isSeen = String(Boolean(event.acknowledged_at));
    const start = Date.parse(event.start_time);
    return (
      (!wanted.has("since") || Date.parse(wanted.get("since")) <= start) &&
      (!wanted.has("until") || start < Date.parse(wanted.get("until"))) &&
      (!wanted.has("stream") || wanted.get("stream") === event.stream_id) &&
      (!wanted.has("action") || wanted.get("action") === event.action) &&
      (!wanted.has("state") || wanted.get("state") === event.state) &&
      (!wanted.has("severity") || wanted.get("severity") === event.severity) &&
      (!wanted.has("acknowledged") || wanted.get("acknowledged") === isSeen) &&
      (!wanted.has("min_score") || Number(wanted.get("min_score")) <= event.score)
    );
  }

  function apply() {
    const text = chosen().toString();
    // The address holds the filter, so that it can be sent to somebody; replaceState does not open the page anew.
    history.replaceState(null, "", text ? `#/events?${text}` : "#/events");
    changed();
  }
}
