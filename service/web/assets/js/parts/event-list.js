// A list of events that loads by pages and changes as messages come.
import { page } from "../api.js";
import { fill, h } from "../dom.js";
import { aboutPerson, duration, momentWithSeconds, percent, words } from "../format.js";
import { problemBox } from "../notify.js";
import { openEvent } from "./event-dialog.js";
import { swatch } from "./legend.js";
import { thumbnail } from "./thumbnail.js";

const STATES = { provisional: "starting", confirmed: "now", ended: "", retracted: "taken back" };
const MOST_HELD = 1000;

/**
 * `params()` gives the filter as URLSearchParams; `accepts(event)` whether a live event belongs in the list;
 * `nameOf(streamId)` a camera's name; `onOpen(event)` follows which one is opened, null when it is closed. Returns
 * {element, load, upsert(event), close}.
 */
export function createEventList({ params, accepts, nameOf, catalog, empty, onOpen = () => {} }) {
  const list = h("ol", { class: "events", "aria-label": "Events" });
  const fault = h("div", {});
  const none = h("div", { class: "empty", hidden: true }, empty);
  const more = h(
    "button",
    { class: "button", type: "button", hidden: true, onclick: () => load(self.next) },
    "Show older",
  );
  const self = { events: new Map(), next: null, turn: 0 };
  return { element: h("div", {}, fault, list, none, h("div", { class: "button-row" }, more)), load, upsert };

  async function load(cursor = null) {
    const mine = ++self.turn;
    const wanted = params();
    wanted.set("limit", "50");
    if (cursor) wanted.set("cursor", cursor);
    try {
      const { items, next } = await page(`/v1/events?${wanted}`);
      if (mine !== self.turn) return;
      if (!cursor) self.events.clear();
      for (const event of items) self.events.set(event.event_id, event);
      self.next = next;
      fill(fault);
      self.isLoaded = true;
      render();
    } catch (error) {
      if (mine === self.turn)
        fill(fault, problemBox(error, { title: "The events cannot be listed", retry: () => load() }));
    }
  }

  function upsert(event) {
    const before = self.events.get(event.event_id);
    const merged = { ...before, ...event };
    if (!before && !accepts(merged)) return;
    if (merged.state === "retracted") self.events.delete(event.event_id);
    else self.events.set(event.event_id, merged);
    if (self.events.size > MOST_HELD) self.events.delete(oldest(self.events));
    render();
  }

  function render() {
    const events = [...self.events.values()].sort(
      (one, other) => Date.parse(other.start_time) - Date.parse(one.start_time),
    );
    more.hidden = !self.next;
    none.hidden = events.length > 0 || !self.isLoaded;
    const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
    events.forEach((event, index) => {
      const row = rows.get(event.event_id) ?? newRow(event.event_id);
      rows.delete(event.event_id);
      updateRow(row, event, { nameOf, catalog });
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
    for (const gone of rows.values()) gone.remove();
  }

  function newRow(eventId) {
    const open = async () => {
      onOpen(self.events.get(eventId));
      const changed = await openEvent(self.events.get(eventId), { nameOf, catalog });
      onOpen(null);
      if (changed) upsert(changed);
    };
    return h("li", { dataset: { id: eventId } }, h("button", { type: "button", class: "event", onclick: open }));
  }
}

function updateRow(row, event, { nameOf, catalog }) {
  const key = JSON.stringify([event.state, event.score, event.end_time, event.acknowledged_at, event.clip_state]);
  if (row.dataset.key === key) return;
  row.dataset.key = key;
  row.dataset.severity = event.severity ?? "info";
  row.dataset.done = Boolean(event.acknowledged_at);
  const quality = catalog.actions.get(event.action)?.quality;
  const hasEvidence = event.clip_state && event.clip_state !== "none";
  fill(
    row.firstElementChild,
    thumbnail(
      hasEvidence ? `/v1/events/${encodeURIComponent(event.event_id)}/thumbnail` : null,
      row.querySelector(".thumb"),
    ),
    h(
      "span",
      { class: "event-what" },
      swatch(event.action, quality),
      h("strong", {}, words(event.action)),
      severityTag(event),
      STATES[event.state] ? h("span", { class: "tag" }, STATES[event.state]) : null,
      event.acknowledged_at ? h("span", { class: "tag" }, "seen") : null,
    ),
    h(
      "span",
      { class: "event-where clip-text" },
      aboutPerson(nameOf(event.stream_id), event.track_id),
      event.zones?.length ? `, ${event.zones.join(", ")}` : "",
    ),
    h("span", { class: "event-when figure" }, h("time", { datetime: event.start_time }, momentWithSeconds(event.start_time))),
    h("span", { class: "event-long figure faint" }, `${duration(lasted(event))}, ${percent(event.score)}`),
  );
}

/** How severe, when it is more than nothing. */
export function severityTag(event) {
  if (!event.severity || event.severity === "info") return null;
  return h("span", { class: "tag", dataset: { tone: event.severity } }, event.severity);
}

/** Seconds from start to the latest time seen. */
export function lasted(event) {
  return event.duration_s ?? (Date.parse(event.end_time ?? event.start_time) - Date.parse(event.start_time)) / 1000;
}

function oldest(events) {
  return [...events.values()].reduce((one, other) =>
    Date.parse(one.start_time) < Date.parse(other.start_time) ? one : other,
  ).event_id;
}
