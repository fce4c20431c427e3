// What happened on a day: all cameras on one page, searched, opened, saved under a name and taken away.
import { get } from "../api.js";
import { loadCatalog } from "../catalog.js";
import { beginOf } from "../days.js";
import { announce, atMostEvery, closers, fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { openChannel } from "../live.js";
import { notify, problemBox } from "../notify.js";
import { chooseDay } from "../parts/day-calendar.js";
import { openEvent } from "../parts/event-dialog.js";
import { createEventList } from "../parts/event-list.js";
import { exportMenu } from "../parts/export-menu.js";
import { createReviewDay } from "../parts/review-day.js";
import { createReviewFilters } from "../parts/review-filters.js";
import { chosenRange, dayAfter, dayOf, filterOf, listFilterOf, queryOf, readState } from "../parts/review-query.js";
import { savedViewsButton } from "../parts/saved-views.js";
import { query } from "../router.js";
import { allStreams } from "../streams.js";
import { take } from "./events.js";

const RELOAD_MS = 5000;

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Review – Actogram";
  const end = closers();
  const self = { end, state: readState(query(), dayOf(new Date())), isOpen: true };
  end.add(() => (self.isOpen = false));
  self.host = h("div", {}, h("p", { class: "quiet", role: "status" }, "Loading…"));
  main.append(head(self), self.host);
  load(self);
  return end.close;
}

async function load(self) {
  const [catalog, streams] = await Promise.all([loadCatalog(), allStreams().catch((error) => error)]);
  if (!self.isOpen) return;
  if (streams instanceof Error)
    return void fill(self.host, problemBox(streams, { title: "The cameras cannot be listed", retry: () => load(self) }));
  build(self, catalog, streams);
}

function head(self) {
  const step = (name, label, days) =>
    h("button", { class: "button plain icon", type: "button", "aria-label": label, title: label, onclick: () => change(self, { day: dayAfter(self.state.day, days), event: "" }) }, icon(name));
  const pick = async () => {
    const day = await chooseDay(self.state.day, () => filterOf(self.state));
    if (day) change(self, { day, event: "" });
  };
  self.day = h("button", { class: "button review-date", type: "button", onclick: pick });
  const today = h("button", { class: "button plain", type: "button", onclick: () => change(self, { day: dayOf(new Date()), event: "" }) }, "Today");
  const menu = exportMenu(() => withRange(listFilterOf(self.state), chosenRange(self.state)));
  self.end.add(menu.close);
  const views = savedViewsButton("review", () => Object.fromEntries(queryOf({ ...self.state, event: "" })));
  showDay(self);
  return h(
    "div",
    { class: "page-head item review-head" },
    h("h1", {}, "Review"),
    h("div", { class: "button-row day-nav" }, step("back", "Day before", -1), self.day, step("next", "Day after", 1), today),
    h("div", { class: "button-row" }, views, menu.element),
  );
}

function build(self, catalog, streams) {
  const names = new Map(streams.map((stream) => [stream.stream_id, stream.name]));
  const naming = { nameOf: (id) => names.get(id) ?? id ?? "a video", catalog };
  Object.assign(self, { naming, said: h("p", { class: "faint" }) });
  self.filters = createReviewFilters({ catalog, streams, state: self.state, changed: (changes) => change(self, changes) });
  self.rows = createReviewDay({
    ...naming,
    streams,
    state: () => self.state,
    onChoose: (part) => change(self, part),
    onOpen: (id) => change(self, { open: id }, "rows"),
  });
  self.list = createEventList({
    ...naming,
    params: () => withRange(listFilterOf(self.state), chosenRange(self.state)),
    accepts: (event) => accepts(self.state, event),
    empty: [h("h2", {}, "No events"), h("p", {}, "Nothing that is searched for is stored for this time. Choose another day or search for less.")],
    onOpen: (event) => change(self, { event: event?.event_id }, "address"),
  });
  self.all = h("button", { class: "button small", type: "button", onclick: () => change(self, { from: "", to: "", pick: "" }) }, "Show the whole day");
  self.end.add(self.rows.close);
  fill(
    self.host,
    self.filters.element,
    self.rows.element,
    h("div", { class: "section-head" }, h("h2", {}, "Events"), h("div", { class: "button-row" }, self.said, self.all)),
    h("div", { class: "review-events" }, self.list.element),
  );
  listen(self);
  show(self);
  if (self.state.event) openLinked(self);
}

function listen(self) {
  const reload = atMostEvery(RELOAD_MS, () => self.isOpen && self.rows.load());
  const channel = openChannel(
    { jobs: [], messages: ["action", "clip"] },
    {
      onMessage: (message) => {
        take(self.list, message);
        if (message.type.startsWith("action.") && self.state.day === dayOf(new Date())) reload();
      },
      onReset: () => show(self),
    },
  );
  self.end.add(channel.close);
}

async function openLinked(self) {
  try {
    const event = await get(`/v1/events/${encodeURIComponent(self.state.event)}`);
    if (!self.isOpen) return;
    const changed = await openEvent(event, self.naming);
    if (changed) self.list.upsert(changed);
  } catch (error) {
    notify(error.message, { kind: "error" });
  }
  if (self.isOpen) change(self, { event: "" }, "address");
}

/** Take changes over into the address, and load what they touch: everything, the rows alone, or nothing. */
function change(self, changes, what = "all") {
  for (const [name, value] of Object.entries(changes)) {
    if (value) self.state[name] = value;
    else if (name !== "day") delete self.state[name];
  }
  const { from = "", to } = self.state;
  if (to && to <= from) delete self.state.to;
  if (changes.stream !== undefined || !(self.state.from || self.state.to)) delete self.state.pick;
  // The address holds all of it, so that it can be sent to somebody; replaceState does not open the page anew.
  history.replaceState(null, "", `#/review?${queryOf(self.state)}`);
  if (what === "address" || !self.rows) return what === "all" ? showDay(self) : null;
  if (what === "rows") return self.rows.load();
  return show(self);
}

function show(self) {
  showDay(self);
  const { from, to, pick, stream } = self.state;
  self.filters.set(self.state);
  const camera = pick ?? stream;
  const time = from || to ? `${from ?? "00:00"} – ${to ?? "24:00"}` : "the whole day, the newest first";
  self.said.textContent = [camera ? self.naming.nameOf(camera) : "All cameras", time].join(", ");
  self.all.hidden = !from && !to;
  announce(self.said.textContent);
  self.rows.load();
  self.list.load();
}

function showDay(self) {
  const date = new Date(beginOf(self.state.day));
  self.day.textContent = date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "long", year: "numeric" });
  self.day.setAttribute("aria-label", `${self.day.textContent}, choose a day`);
}

function accepts(state, event) {
  const { since, until } = chosenRange(state);
  const start = Date.parse(event.start_time);
  const equal = { pick: event.stream_id, stream: event.stream_id, action: event.action, severity: event.severity, track: String(event.track_id), acknowledged: String(Boolean(event.acknowledged_at)) };
  return (
    event.state !== "retracted" &&
    Date.parse(since) <= start &&
    start < Date.parse(until) &&
    Object.entries(equal).every(([name, value]) => !state[name] || state[name] === value) &&
    (!state.zone || (event.zones ?? []).includes(state.zone)) &&
    (!state.min_score || event.score >= Number(state.min_score))
  );
}

function withRange(wanted, { since, until }) {
  wanted.set("since", since);
  wanted.set("until", until);
  return wanted;
}
