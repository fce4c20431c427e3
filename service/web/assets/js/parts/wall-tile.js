// One camera on the wall: its latest picture, its people drawn over it, what they do, and an alarm that nobody has seen yet.
import { fill, h } from "../dom.js";
import { aboutPerson, count, momentWithSeconds, words } from "../format.js";
import { icon } from "../icons.js";
import { notify } from "../notify.js";
import { createOverlay } from "../overlay.js";
import { needs } from "../roles.js";
import { hasPicture, isFlowing, stateOf, troubleOf } from "../streams.js";
import { swatch } from "./legend.js";
import { dayOf } from "./review-query.js";

const STALE_MS = 4000;

/** `self`: the wall's {pictures, alarms, edges, hasSkeletons}. Returns {element, stream, update(stream), showPersons, showEvent, forget, close}. */
export function newTile(self, stream) {
  const picture = h("img", { alt: "", decoding: "async", hidden: true });
  const absent = h("span", { class: "tile-absent" });
  const badge = h("span", { class: "state" });
  const link = h("a", { href: `#/live/${stream.stream_id}` });
  const trouble = h("p", { class: "tile-trouble", hidden: true });
  const people = h("p", { class: "tile-people" });
  const last = h("p", { class: "faint clip-text" });
  const frame = h("div", { class: "tile-picture" }, picture, absent);
  const ringing = alarmLine(self, stream.stream_id);
  const element = h(
    "li",
    { class: "tile card" },
    frame,
    h("div", { class: "tile-text" }, h("div", { class: "tile-head" }, link, badge), trouble, people, last),
    ringing.element,
  );
  const held = { atMs: 0 };
  const overlay = createOverlay(frame, () => held.size ?? [16, 9]);
  overlay.setOptions({ showLabels: false, edges: self.edges });
  frame.append(overlay.canvas);
  // Without pictures the tile shows the people as skeletons alone.
  const isDrawn = () => self.hasSkeletons || tile.stream.privacy?.pictures === false;
  const showing = self.pictures.add(
    element,
    () =>
      isFlowing(tile.stream) && tile.stream.privacy?.pictures !== false
        ? `/v1/streams/${stream.stream_id}/snapshot`
        : null,
    (url) => {
      picture.src = url;
      picture.hidden = false;
      absent.hidden = true;
    },
  );
  const showDoubt = () => {
    held.atMs = 0;
    fill(people, h("span", { class: "faint" }, "No picture: who is there is not known"));
    overlay.draw([]);
  };
  const tile = {
    element,
    stream,
    update(next) {
      tile.stream = next;
      const [said, tone] = stateOf(next);
      link.textContent = next.name;
      badge.textContent = said;
      badge.dataset.tone = tone;
      element.dataset.state = next.state;
      element.dataset.drawn = isDrawn();
      if (!isDrawn()) overlay.draw([]);
      held.isRinging = ringing.update();
      element.dataset.severity = held.isRinging ? "alarm" : (held.severity ?? "info");
      picture.dataset.stale = !hasPicture(next);
      if (!hasPicture(next)) showDoubt();
      trouble.textContent = troubleOf(next);
      trouble.hidden = trouble.textContent === "";
      absent.textContent = isFlowing(next) ? "" : (next.last_error?.message ?? said);
      absent.hidden = absent.textContent === "" || (!picture.hidden && isFlowing(next));
    },
    showPersons({ persons = [], frame_size: size }) {
      if (!hasPicture(tile.stream)) return showDoubt();
      held.atMs = performance.now();
      held.size = size;
      overlay.draw(isDrawn() ? persons : []);
      fill(people, persons.length ? doing(persons) : h("span", { class: "faint" }, "Nobody in the picture"));
      return null;
    },
    showEvent(message) {
      const { action, track_id: track } = message.data;
      last.textContent = `${message.type === "action.started" ? "Now" : "Ended"}: ${aboutPerson(words(action), track)}`;
      held.severity = message.type === "action.started" ? (message.data.severity ?? "info") : "info";
      element.dataset.severity = held.isRinging ? "alarm" : held.severity;
    },
    forget() {
      if (held.atMs && performance.now() - held.atMs >= STALE_MS) showDoubt();
    },
    close() {
      showing.close();
      overlay.close();
      element.remove();
    },
  };
  return tile;
}

/** What rang last on a camera and was not acknowledged; `update()` says whether anything did. */
function alarmLine(self, streamId) {
  const said = h("a", {});
  const agree = async () => {
    try {
      await self.alarms.acknowledge(streamId);
    } catch (error) {
      notify(error.message, { kind: "error" });
    }
  };
  const button = h(
    "button",
    { class: "button small", type: "button", ...needs("operator"), onclick: agree },
    icon("check", 16),
    "Acknowledge",
  );
  const element = h("div", { class: "tile-alarm", hidden: true }, said, button);
  const update = () => {
    const [newest, ...others] = self.alarms.of(streamId);
    element.hidden = !newest;
    if (!newest) return false;
    const more = others.length ? `, and ${count(others.length, "more alarm")}` : "";
    said.textContent = `${aboutPerson(words(newest.action), newest.trackId)}, ${momentWithSeconds(newest.startTime)}${more}`;
    const day = dayOf(new Date(newest.startTime));
    said.href = `#/review?${new URLSearchParams({ day, event: newest.eventId, stream: streamId })}`;
    return true;
  };
  return { element, update };
}

function doing(persons) {
  const counts = new Map();
  for (const person of persons) {
    const action = person.status === "assessed" && person.action ? person.action : "";
    counts.set(action, (counts.get(action) ?? 0) + 1);
  }
  return [...counts].map(([action, number]) =>
    h(
      "span",
      { class: "doing" },
      swatch(action || null, null),
      action ? words(action) : "not named",
      number > 1 ? ` × ${number}` : null,
    ),
  );
}
