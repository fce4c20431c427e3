// The wall: every camera with its state, its latest picture and its people; those with alarms first.
import { loadCatalog } from "../catalog.js";
import { closers, fill, h } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { openChannel } from "../live.js";
import { problemBox } from "../notify.js";
import { addCamera } from "../parts/add-camera.js";
import { createAlarmSound } from "../parts/alarm-sound.js";
import { openAlarms } from "../parts/open-alarms.js";
import { snapshotQueue } from "../parts/snapshots.js";
import { newTile } from "../parts/wall-tile.js";
import { isChosen, remember } from "../remembered.js";
import { lacking, needs } from "../roles.js";
import { go } from "../router.js";
import { allStreams, isFlowing } from "../streams.js";

const RELOAD_MS = 15_000;
const SKELETONS = "actogram.wall-skeletons";
const RATE_HZ = { true: 5, false: 1 }; // with skeletons, and without

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
  self.sound = createAlarmSound();
  self.alarms = openAlarms({ changed: () => self.isLoaded && render(self), rang: self.sound.ring });
  self.hasSkeletons = isChosen(SKELETONS, true);
  main.append(
    h(
      "div",
      { class: "page-head item" },
      h("div", {}, h("h1", {}, "Live"), self.summary, self.link),
      h("div", { class: "button-row" }, skeletonSwitch(self), self.sound.element, add),
    ),
    self.fault,
    self.grid,
    self.teach,
  );
  self.pictures = snapshotQueue();
  end.add(self.pictures.close);
  end.add(self.sound.close);
  listen(self);
  end.add(() => self.channel.close());
  const timers = [setInterval(() => load(self), RELOAD_MS), setInterval(() => forget(self), 1000)];
  end.add(() => timers.forEach(clearInterval));
  load(self);
  return end.close;
}

function listen(self) {
  self.channel?.close();
  self.channel = openChannel(
    { messages: ["stream", "action", "track", "frame"], jobs: [], max_rate_hz: RATE_HZ[self.hasSkeletons] },
    {
      onMessage: (message) => onMessage(self, message),
      onState: (state) => showLink(self, state),
      onReset: () => load(self),
    },
  );
}

function skeletonSwitch(self) {
  const set = () => {
    self.hasSkeletons = !self.hasSkeletons;
    remember(SKELETONS, self.hasSkeletons);
    button.setAttribute("aria-pressed", String(self.hasSkeletons));
    for (const tile of self.tiles.values()) tile.update(tile.stream);
    listen(self);
  };
  const button = h("button", { type: "button", "aria-pressed": String(self.hasSkeletons), onclick: set }, "Skeletons");
  return h("div", { class: "switches", role: "group", "aria-label": "What is drawn" }, button);
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
    await self.alarms.load();
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
  if (message.type.startsWith("action.")) self.alarms.take(message);
}

function forget(self) {
  for (const tile of self.tiles.values()) tile.forget();
}

function render(self) {
  const ringing = (stream) => self.alarms.of(stream.stream_id)[0]?.startTime ?? "";
  const streams = [...self.streams.values()].sort(
    (one, other) => ringing(other).localeCompare(ringing(one)) || one.name.localeCompare(other.name),
  );
  self.teach.hidden = streams.length > 0 || !self.isLoaded;
  const flowing = streams.filter(isFlowing).length;
  const alarmed = streams.filter(ringing).length;
  const told = [count(streams.length, "camera"), `${flowing} live`, alarmed ? `${alarmed} with an alarm` : null];
  fill(self.summary, streams.length ? told.filter(Boolean).join(", ") : "");
  const focused = document.activeElement;
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
  // A tile that moves takes the focus along.
  if (focused !== document.activeElement && self.grid.contains(focused)) focused.focus({ preventScroll: true });
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
