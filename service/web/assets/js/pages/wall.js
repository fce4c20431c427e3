// The wall: every camera with its state, its latest picture and what its people do.
import { loadCatalog } from "../catalog.js";
import { closers, fill, h } from "../dom.js";
import { aboutPerson, count, words } from "../format.js";
import { icon } from "../icons.js";
import { openChannel } from "../live.js";
import { problemBox } from "../notify.js";
import { createOverlay } from "../overlay.js";
import { addCamera } from "../parts/add-camera.js";
import { swatch } from "../parts/legend.js";
import { snapshotQueue } from "../parts/snapshots.js";
import { lacking, needs } from "../roles.js";
import { go } from "../router.js";
import { allStreams, hasPicture, isFlowing, stateOf, troubleOf } from "../streams.js";

const RELOAD_MS = 15_000;
const STALE_MS = 4000;

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Live – Actogram";
  const end = closers();
  const self = { end, streams: new Map(), tiles: new Map(), grid: h("ul", { class: "wall", "aria-label": "Cameras" }) };
  self.fault = h("div", {});
  self.summary = h("p", { class: "faint", role: "status" });
  self.link = h("span", { class: "state", hidden: true, dataset: { tone: "warning" } });
  self.teach = emptyState(self);
  const add = h(
    "button",
    { class: "button primary", type: "button", ...needs("operator"), onclick: () => begin() },
    icon("plus"),
    "Add a camera",
  );
  main.append(
    h(
      "div",
      { class: "page-head item" },
      h("div", {}, h("h1", {}, "Live"), self.summary, self.link),
      h("div", { class: "button-row" }, add),
    ),
    self.fault,
    self.grid,
    self.teach,
  );
  self.pictures = snapshotQueue();
  end.add(self.pictures.close);
  const channel = openChannel(
    { messages: ["stream", "action", "track", "frame"], jobs: [], max_rate_hz: 1 },
    {
      onMessage: (message) => onMessage(self, message),
      onState: (state) => showLink(self, state),
      onReset: () => load(self),
    },
  );
  end.add(channel.close);
  const timers = [setInterval(() => load(self), RELOAD_MS), setInterval(() => forget(self), 1000)];
  end.add(() => timers.forEach(clearInterval));
  load(self);
  return end.close;
}

async function begin() {
  const stream = await addCamera();
  if (stream) go(`/live/${stream.stream_id}`);
}

async function load(self) {
  try {
    const [streams, catalog] = await Promise.all([allStreams(), loadCatalog()]);
    self.edges = catalog.layouts.get("coco17")?.edges ?? [];
    fill(self.fault);
    self.streams = new Map(streams.map((stream) => [stream.stream_id, stream]));
    self.isLoaded = true;
    render(self);
  } catch (error) {
    fill(self.fault, problemBox(error, { title: "The cameras cannot be listed", retry: () => load(self) }));
  }
}

function showLink(self, state) {
  self.link.hidden = state === "open";
  fill(self.link, "No live connection, trying again");
  if (state === "open") load(self); // What was asked for before anybody listened may be old.
}

function onMessage(self, message) {
  const stream = self.streams.get(message.stream_id);
  if (!stream) {
    if (message.type === "stream.state_changed") load(self);
    return;
  }
  const tile = self.tiles.get(message.stream_id);
  if (message.type === "stream.state_changed") {
    Object.assign(stream, { state: message.data.state, last_error: message.data.code ? message.data : null });
    render(self);
  } else if (message.type === "frame") {
    tile?.showPersons(message.data);
  } else if (message.type === "action.started" || message.type === "action.ended") {
    tile?.showEvent(message);
  }
}

function forget(self) {
  for (const tile of self.tiles.values()) tile.forget();
}

function render(self) {
  const streams = [...self.streams.values()].sort((one, other) => one.name.localeCompare(other.name));
  self.teach.hidden = streams.length > 0 || !self.isLoaded;
  const flowing = streams.filter(isFlowing).length;
  fill(self.summary, streams.length ? `${count(streams.length, "camera")}, ${flowing} live` : "");
  for (const [id, tile] of self.tiles) {
    if (self.streams.has(id)) continue;
    tile.close();
    self.tiles.delete(id);
  }
  streams.forEach((stream, index) => {
    if (!self.tiles.has(stream.stream_id)) self.tiles.set(stream.stream_id, newTile(self, stream));
    const tile = self.tiles.get(stream.stream_id);
    tile.update(stream);
    if (self.grid.children[index] !== tile.element)
      self.grid.insertBefore(tile.element, self.grid.children[index] ?? null);
  });
}

function newTile(self, stream) {
  const picture = h("img", { alt: "", decoding: "async", hidden: true });
  const absent = h("span", { class: "tile-absent" });
  const badge = h("span", { class: "state" });
  const link = h("a", { href: `#/live/${stream.stream_id}` });
  const trouble = h("p", { class: "tile-trouble", hidden: true });
  const people = h("p", { class: "tile-people" });
  const last = h("p", { class: "faint clip-text" });
  const frame = h("div", { class: "tile-picture" }, picture, absent);
  const element = h(
    "li",
    { class: "tile card" },
    frame,
    h("div", { class: "tile-text" }, h("div", { class: "tile-head" }, link, badge), trouble, people, last),
  );
  const held = { atMs: 0 };
  // Without pictures the tile shows the people as skeletons alone.
  const overlay = stream.privacy?.pictures === false ? createOverlay(frame, () => held.size ?? [16, 9]) : null;
  if (overlay) {
    overlay.setOptions({ showLabels: false, edges: self.edges });
    frame.append(overlay.canvas);
  }
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
    overlay?.draw([]);
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
      overlay?.draw(persons);
      fill(people, persons.length ? doing(persons) : h("span", { class: "faint" }, "Nobody in the picture"));
      return null;
    },
    showEvent(message) {
      const { action, track_id: track } = message.data;
      last.textContent = `${message.type === "action.started" ? "Now" : "Ended"}: ${aboutPerson(words(action), track)}`;
      element.dataset.severity = message.type === "action.started" ? (message.data.severity ?? "info") : "info";
    },
    forget() {
      if (held.atMs && performance.now() - held.atMs >= STALE_MS) showDoubt();
    },
    close() {
      showing.close();
      overlay?.close();
      element.remove();
    },
  };
  return tile;
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

function emptyState(self) {
  const open = () => begin(self);
  return h(
    "div",
    { class: "empty", hidden: true },
    h("h2", {}, "No camera yet"),
    h(
      "p",
      needs("operator"),
      "Give the address of a camera (RTSP, RTMP, HLS or HTTP), or use the one in this device. It may even be off: the service waits for it and says so here.",
    ),
    lacking("operator", "Cameras that an operator adds appear here."),
    h(
      "div",
      { class: "button-row", ...needs("operator") },
      h("button", { class: "button primary", type: "button", onclick: open }, icon("plus"), "Add a camera"),
    ),
  );
}
