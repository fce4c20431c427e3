// What people did over days: bars per day, a table, where they were, and the same as a file.
import { get } from "../api.js";
import { loadCatalog } from "../catalog.js";
import { weekOf } from "../days.js";
import { field } from "../dialog.js";
import { address, announce, closers, fill, h } from "../dom.js";
import { count, duration } from "../format.js";
import { icon } from "../icons.js";
import { problemBox } from "../notify.js";
import { createHeatMap } from "../parts/heat-map.js";
import { insightTable, stackedBars } from "../parts/insight-bars.js";
import { query } from "../router.js";
import { allStreams } from "../streams.js";

const GROUPS = [
  ["day", "Day"],
  ["hour", "Hour"],
  ["camera", "Camera"],
  ["track", "Person"],
  ["action", "Action"],
];
const USUAL_DAYS = { hour: 1 };
const USUAL_DAYS_ELSE = 7;

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Insights – Actogram";
  const end = closers();
  const aborts = new AbortController();
  end.add(() => aborts.abort());
  const save = h("a", { class: "button", download: "" }, icon("down"), "CSV");
  const report = h("a", { class: "button", target: "_blank", rel: "noopener" }, "Weekly report");
  const host = h("div", {});
  main.append(h("div", { class: "page-head item" }, h("h1", {}, "Insights"), h("div", { class: "button-row" }, report, save)), host);
  Promise.all([loadCatalog(), allStreams(aborts.signal).catch(() => [])]).then(([catalog, streams]) => {
    if (!aborts.signal.aborted) build(host, { catalog, streams, save, report, signal: aborts.signal });
  });
  return end.close;
}

function build(host, { catalog, streams, save, report, signal }) {
  const names = new Map(streams.map((stream) => [stream.stream_id, stream.name]));
  const filters = filterBar(streams, load);
  const shown = h("div", { class: "insights" });
  let turn = 0;
  fill(host, filters.element, shown);
  load();

  async function load() {
    const mine = ++turn;
    const wanted = filters.params();
    save.href = address(`/v1/insights?${wanted}&format=csv`);
    showReport(report, wanted, filters.lastDay());
    try {
      const found = await get(`/v1/insights?${wanted}`, { signal });
      if (mine === turn) show(found);
    } catch (error) {
      if (mine === turn && !signal.aborted)
        fill(shown, problemBox(error, { title: "The insights cannot be shown", retry: load }));
    }
  }

  function show(found) {
    const stream = streams.find((one) => one.stream_id === filters.stream());
    if (!found.items.some((item) => item.tracks || Object.keys(item.totals_s).length)) {
      fill(
        shown,
        h(
          "div",
          { class: "empty" },
          h("h2", {}, "Nothing stored"),
          h("p", {}, "No event and nobody in the picture is stored for these days. Choose others, or another camera."),
        ),
      );
      return announce("Nothing stored");
    }
    const naming = { nameOf: (id) => names.get(id) ?? id, catalog };
    fill(
      shown,
      facts(found),
      found.is_truncated
        ? h("p", { class: "quiet" }, `The newest ${found.items.length} people; there are more. Choose fewer days.`)
        : null,
      stackedBars(found, naming),
      stream ? createHeatMap(stream, filters.params(), signal) : heatHint(streams),
      insightTable(found, naming),
    );
    announce(`${count(found.items.length, "row")} shown`);
  }
}

/** The week of the last day that is shown, of the cameras that are. */
function showReport(link, wanted, lastDay) {
  const week = weekOf(lastDay);
  const asked = new URLSearchParams({ week, tz: wanted.get("tz") });
  if (wanted.get("stream")) asked.set("stream", wanted.get("stream"));
  link.href = address(`/v1/insights/report?${asked}`);
  link.title = `Week ${week.slice(6)} of ${week.slice(0, 4)}, to print or to save as PDF`;
}

function heatHint(streams) {
  if (!streams.length) return null;
  return h("p", { class: "faint" }, "Choose one camera to see where in its picture people were.");
}

function facts({ items, by }) {
  const sum = (pick) => items.reduce((total, item) => total + pick(item), 0);
  const seconds = sum((item) => Object.values(item.totals_s).reduce((total, one) => total + one, 0));
  const rows = [
    ["All actions of all people", duration(seconds)],
    ["Falls", String(sum((item) => item.falls))],
    ["Other alarms", String(sum((item) => item.other_alarms))],
  ];
  // Cameras may see the same minute, and people share one: only days and hours add up.
  if ((by === "day" || by === "hour") && items.every((item) => item.presence_s !== null))
    rows.push(["Somebody in the picture", duration(sum((item) => item.presence_s))]);
  return h(
    "dl",
    { class: "insight-facts" },
    rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "figure" }, value))),
  );
}

function filterBar(streams, changed) {
  const held = query();
  const select = (name, options, usual) =>
    h(
      "select",
      { name, onchange: apply },
      options.map(([value, label]) => h("option", { value, selected: (held.get(name) ?? usual) === value }, label)),
    );
  const day = (name, value) => h("input", { name, type: "date", onchange: apply, required: true, value });
  const group = select("by", GROUPS, "day");
  const to = held.get("to") ?? dateOf(new Date());
  const usual = USUAL_DAYS[group.value] ?? USUAL_DAYS_ELSE;
  const controls = {
    stream: select("stream", [["", "All"], ...streams.map((stream) => [stream.stream_id, stream.name])], ""),
    from: day("from", held.get("from") ?? dateOf(midnight(to, 1 - usual))),
    to: day("to", to),
    by: group,
  };
  const labels = { stream: "Camera", from: "From", to: "To", by: "Each" };
  const element = h(
    "form",
    { class: "filters", "aria-label": "Filter", onsubmit: (event) => event.preventDefault() },
    Object.entries(controls).map(([name, control]) => field(labels[name], control)),
  );
  return { element, params, stream: () => controls.stream.value, lastDay: () => controls.to.value };

  function params() {
    const wanted = new URLSearchParams({
      by: controls.by.value,
      since: midnight(controls.from.value).toISOString(),
      until: midnight(controls.to.value, 1).toISOString(),
      tz: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC",
    });
    if (controls.stream.value) wanted.set("stream", controls.stream.value);
    return wanted;
  }

  function apply() {
    if (!controls.from.value || !controls.to.value) return; // A date that is being typed.
    if (controls.from.value > controls.to.value) controls.to.value = controls.from.value;
    const text = new URLSearchParams(Object.entries(controls).flatMap(([name, { value }]) => (value ? [[name, value]] : [])));
    history.replaceState(null, "", `#/insights?${text}`);
    changed();
  }
}

/** "2026-05-04" of a moment, by this browser's clock. */
function dateOf(moment) {
  const two = (value) => String(value).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

/** The beginning of a day, or of one some days later, by this browser's clock; today's for text that is no date. */
function midnight(text, days = 0) {
  const [year, month, day] = text.split("-").map(Number);
  const found = new Date(year, month - 1, day + days);
  return Number.isNaN(found.getTime()) ? midnight(dateOf(new Date()), days) : found;
}
