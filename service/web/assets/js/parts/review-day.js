// All cameras over one day: a strip each, and opened, a row for each of its people.
import { get, page } from "../api.js";
import { qualityOf } from "../catalog.js";
import { fill, h } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { problemBox } from "../notify.js";
import { createTimeline } from "../timeline.js";
import { createDayStrip } from "./day-strip.js";
import { chosenRange, dayRange, filterOf, timeOf } from "./review-query.js";

const PARTS = 288; // of five minutes each
const EVENTS_AT_ONCE = 500;
const SEEK_MS = 400;
const WINDOW_MS = 7.5 * 60_000;

/**
 * `state()`: what the page shows now. `onChoose({pick, from, to})` a part of a camera's day; `onOpen(streamId | null)` whose people are
 * shown. Returns {element, load, close}.
 */
export function createReviewDay({ state, streams, nameOf, catalog, onChoose, onOpen }) {
  const list = h("ol", { class: "review-rows", "aria-label": "Cameras over the day" });
  const fault = h("div", {});
  const self = { state, streams, nameOf, catalog, onChoose, onOpen, list, rows: new Map(), turn: 0 };
  const element = h("section", { class: "review-day", "aria-label": "Day" }, axis(), fault, list);
  const load = async () => {
    const mine = ++self.turn;
    list.setAttribute("aria-busy", "true");
    const wanted = filterOf(state());
    Object.entries({ ...dayRange(state().day), parts: PARTS }).forEach(([name, value]) => wanted.set(name, value));
    try {
      const found = await get(`/v1/events/overview?${wanted}`);
      if (mine !== self.turn) return;
      fill(fault);
      show(self, found.streams);
    } catch (error) {
      if (mine !== self.turn) return;
      for (const row of self.rows.values()) row.doubt();
      fill(fault, problemBox(error, { title: "The day cannot be shown", retry: load }));
    } finally {
      if (mine === self.turn) list.removeAttribute("aria-busy");
    }
  };
  const close = () => {
    self.turn += 1;
    for (const row of self.rows.values()) row.close();
  };
  return { element, load, close };
}

function axis() {
  const hours = [0, 6, 12, 18].map((hour) => h("span", { style: { "--at": hour / 24 } }, `${String(hour).padStart(2, "0")}:00`));
  return h("div", { class: "review-axis", "aria-hidden": "true" }, h("span", {}), h("div", { class: "review-hours" }, hours));
}

function show(self, found) {
  const state = self.state();
  const known = state.stream ? [state.stream] : self.streams.map((stream) => stream.stream_id);
  const cells = new Map(found.map((one) => [one.stream_id, one]));
  // A camera that was removed is shown on the days on which it saw something.
  const wanted = [...new Set([...known, ...cells.keys()])].sort((one, other) =>
    self.nameOf(one).localeCompare(self.nameOf(other)),
  );
  for (const [id, row] of self.rows) {
    if (wanted.includes(id)) continue;
    row.close();
    self.rows.delete(id);
  }
  wanted.forEach((id, index) => {
    if (!self.rows.has(id)) self.rows.set(id, newRow(self, id));
    const row = self.rows.get(id);
    row.show(cells.get(id));
    if (self.list.children[index] !== row.element) self.list.insertBefore(row.element, self.list.children[index] ?? null);
  });
}

function newRow(self, streamId) {
  const name = self.nameOf(streamId);
  const sum = h("span", { class: "faint figure" });
  const isOpen = () => self.state().open === streamId;
  const button = h(
    "button",
    { type: "button", class: "review-name", onclick: () => self.onOpen(isOpen() ? null : streamId) },
    icon("next", 14),
    h("span", { class: "clip-text" }, name),
    sum,
  );
  const strip = createDayStrip({
    name,
    parts: PARTS,
    range: () => dayRange(self.state().day),
    onChoose: ({ from, to }) => self.onChoose({ pick: streamId, from, to }),
  });
  const people = createPeople(self, streamId);
  const element = h("li", { class: "review-row" }, button, strip.element, people.element);
  return {
    element,
    show(found) {
      sum.textContent = found?.events ? found.events.toLocaleString("en") : "–";
      button.setAttribute("aria-label", `${name}, ${count(found?.events ?? 0, "event")}, people`);
      button.setAttribute("aria-expanded", String(isOpen()));
      strip.show(new Map((found?.cells ?? []).map(([part, ...tally]) => [part, tally])));
      const { from, to, pick } = self.state();
      const isMarked = (from || to) && (!pick || pick === streamId);
      const { since, until } = chosenRange(self.state());
      strip.mark(isMarked ? Date.parse(since) : null, Date.parse(until));
      if (isOpen()) people.load();
      else people.hide();
    },
    doubt() {
      sum.textContent = "?";
      strip.show(new Map());
    },
    close() {
      strip.close();
      people.close();
      element.remove();
    },
  };
}

function createPeople(self, streamId) {
  const element = h("div", { class: "review-people", hidden: true });
  const note = h("p", { class: "faint" });
  let timer = 0;
  const timeline = createTimeline({ onSeek: seek, label: `People of ${self.nameOf(streamId)} over the day` });
  let turn = 0;
  element.append(timeline.element, note);

  function seek(timeS) {
    timeline.setTime(timeS);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const at = Date.parse(dayRange(self.state().day).since) + 1000 * timeS;
      const { since, until } = dayRange(self.state().day);
      const [first, last] = [Math.max(Date.parse(since), at - WINDOW_MS), at + WINDOW_MS];
      self.onChoose({ pick: streamId, from: timeOf(first), to: last < Date.parse(until) ? timeOf(last) : null });
    }, SEEK_MS);
  }

  async function load() {
    const mine = ++turn;
    element.hidden = false;
    const wanted = filterOf(self.state());
    const whole = dayRange(self.state().day);
    Object.entries({ ...whole, stream: streamId, limit: EVENTS_AT_ONCE }).forEach(([key, value]) => wanted.set(key, value));
    try {
      const { items, next } = await page(`/v1/events?${wanted}`);
      if (mine !== turn) return;
      const begin = Date.parse(whole.since);
      timeline.setRows(rowsOf(items, begin, self.catalog), (Date.parse(whole.until) - begin) / 1000);
      fill(note, noteOf(items, next));
    } catch (error) {
      if (mine === turn) fill(note, problemBox(error, { title: "Its people cannot be shown", retry: load }));
    }
  }

  return {
    element,
    load,
    hide() {
      turn += 1;
      element.hidden = true;
    },
    close() {
      turn += 1;
      clearTimeout(timer);
      timeline.close();
    },
  };
}

function noteOf(items, next) {
  if (!items.length) return "Nobody did anything that is searched for on this day.";
  if (!next) return "";
  return `These are the newest ${items.length} events of the day; there are more. Search for less to see the others.`;
}

/** A row per person, in the order in which they came; times in seconds from the begin of the day. */
function rowsOf(events, begin, catalog) {
  const people = new Map();
  for (const event of events) {
    const [startS, endS] = [event.start_time, event.end_time].map((time) => (Date.parse(time) - begin) / 1000);
    const row = people.get(event.track_id) ?? { trackId: event.track_id, startS, endS, segments: [] };
    row.startS = Math.min(row.startS, startS);
    row.endS = Math.max(row.endS, endS);
    row.segments.push({ action: event.action, startS, endS, score: event.score, state: event.state, quality: qualityOf(catalog, event.action) });
    people.set(event.track_id, row);
  }
  return [...people.values()].sort((one, other) => one.startS - other.startS);
}
