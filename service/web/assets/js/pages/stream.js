// One camera large: live picture, who does what, figures, timeline, events, zones and rules.
import { get, page, remove } from "../api.js";
import { loadCatalog } from "../catalog.js";
import { confirmDialog } from "../dialog.js";
import { announce, closers, fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { LiveRows } from "../live-rows.js";
import { openChannel } from "../live.js";
import { notify, problemBox } from "../notify.js";
import { editSettings } from "../parts/camera-settings.js";
import { createEventList } from "../parts/event-list.js";
import { createLiveStage } from "../parts/live-stage.js";
import { createNowList } from "../parts/now-list.js";
import { editRules } from "../parts/rule-editor.js";
import { createStatusPanel } from "../parts/status-panel.js";
import { editZones } from "../parts/zone-editor.js";
import { lacking, needs } from "../roles.js";
import { go } from "../router.js";
import { changeStream, hasPicture, isFlowing, stateOf, troubleOf } from "../streams.js";
import { createTimeline } from "../timeline.js";
import { activeWebcam } from "../webcam.js";
import { take } from "./events.js";

const WINDOW_S = 120;
const STALE_MS = 3000; // as long without a word of who is there, it is not known

/** Fill `main` with the page of stream `params.id`; returns its clean-up. */
export function open(main, params) {
  document.title = "Camera – Actogram";
  const end = closers();
  const self = { id: params.id, path: `/v1/streams/${encodeURIComponent(params.id)}`, end, selected: null };
  self.title = h("h1", {}, params.id);
  self.state = h("span", { class: "state" });
  self.trouble = h("p", { class: "trouble", hidden: true });
  self.tools = h("div", { class: "button-row" });
  self.body = h("div", {});
  main.append(
    h(
      "div",
      { class: "page-head item" },
      h("div", {}, h("a", { class: "crumb", href: "#/live" }, icon("back", 16), "Live"), self.title, self.state, self.trouble),
      self.tools,
    ),
    self.body,
  );
  start(self);
  return () => {
    self.isOver = true;
    end.close();
  };
}

async function start(self) {
  try {
    const [stream, catalog] = await Promise.all([get(self.path), loadCatalog()]);
    if (self.isOver) return;
    self.catalog = catalog;
    self.stream = stream;
    build(self, stream);
    adopt(self, stream);
    prefill(self);
  } catch (error) {
    fill(self.title, error.status === 404 ? "No such camera" : self.id);
    fill(self.body, problemBox(error, { retry: error.status === 404 ? null : () => start(self) }));
  }
}

function build(self, stream) {
  const pick = (trackId) => choose(self, trackId);
  self.rows = new LiveRows(self.catalog, WINDOW_S);
  self.now = createNowList({ onPick: pick, doubt: "Waiting for the first picture." });
  self.status = createStatusPanel(self.id, (status) => {
    if (self.stream && status.state !== self.stream.state) refresh(self);
  });
  self.stage = createLiveStage({
    path: `${self.path}/preview`,
    hasPictures: stream.privacy?.pictures !== false,
    onShown: (persons) => self.now.show(persons),
    onPick: pick,
  });
  self.stage.overlay.setOptions({ edges: self.catalog.layouts.get("coco17")?.edges ?? [] });
  self.timeline = createTimeline({ label: "The last two minutes", onSeek: () => {} });
  self.timeline.follow(WINDOW_S);
  self.list = createEventList({
    params: () => new URLSearchParams({ stream: self.id }),
    accepts: (event) => event.stream_id === self.id,
    nameOf: () => self.stream.name,
    catalog: self.catalog,
    empty: [h("h3", {}, "No events yet"), h("p", {}, "What people do here will be listed as it happens.")],
  });
  self.fault = h("div", {});
  fill(
    self.body,
    self.fault,
    h(
      "div",
      { class: "player" },
      self.stage.element,
      h(
        "aside",
        { class: "side card", "aria-label": "In the picture now" },
        h("h2", {}, "Now"),
        self.now.element,
        self.status.element,
      ),
    ),
    h(
      "section",
      { "aria-label": "The last two minutes" },
      h("div", { class: "section-head" }, h("h2", {}, "The last two minutes")),
      self.timeline.element,
    ),
    h(
      "section",
      { "aria-label": "Events" },
      h(
        "div",
        { class: "section-head" },
        h("h2", {}, "Events"),
        h("a", { href: `#/events?stream=${encodeURIComponent(self.id)}` }, "All events of this camera"),
      ),
      self.list.element,
    ),
  );
  for (const part of [self.stage, self.timeline, self.status]) self.end.add(part.close);
  const channel = openChannel(
    { streams: [self.id], jobs: [], messages: ["action", "track", "stream", "clip", "frame"], max_rate_hz: 15 },
    {
      onMessage: (message) => onMessage(self, message),
      onState: (state) => onLink(self, state),
      onReset: () => catchUp(self),
    },
  );
  self.end.add(channel.close);
  const timer = setInterval(() => {
    drawRows(self);
    self.now.setDoubt(doubtOf(self));
  }, 500);
  self.end.add(() => clearInterval(timer));
  self.end.listen(window, "webcamchange", () => showTools(self));
}

function adopt(self, stream) {
  self.stream = stream;
  document.title = `${stream.name} – Actogram`;
  fill(self.title, stream.name);
  showState(self);
  showTools(self);
}

async function prefill(self) {
  self.list.load();
  const since = new Date(Date.now() - WINDOW_S * 1000).toISOString();
  try {
    const { items } = await page(
      `/v1/events?stream=${encodeURIComponent(self.id)}&since=${encodeURIComponent(since)}&limit=200`,
    );
    items.forEach((event) => self.rows.addEvent(event));
  } catch {
    // The list beside it shows the fault.
  }
}

/** What may have been missed while nobody listened: the camera's state and its latest events. */
function catchUp(self) {
  refresh(self);
  prefill(self);
}

/** Why it is not known who is in the picture; empty where it is. */
function doubtOf(self) {
  if (self.isLinked === false) return "No live connection: who is there is not known.";
  if (!hasPicture(self.stream)) return "No picture: who is there is not known.";
  if (self.heardMs === undefined) return "Waiting for the first picture.";
  const silentMs = performance.now() - self.heardMs;
  return silentMs > STALE_MS ? `No new picture for ${Math.round(silentMs / 1000)} s: who is there is not known.` : "";
}

function onMessage(self, message) {
  if (message.type === "frame") {
    self.heardMs = performance.now();
    self.now.setDoubt(doubtOf(self));
    if (message.data.layout)
      self.stage.overlay.setOptions({ edges: self.catalog.layouts.get(message.data.layout)?.edges ?? [] });
    self.stage.takeFrame(message);
    self.rows.addFrame(message);
    self.clockOffsetS = Date.parse(message.time) / 1000 - Date.now() / 1000;
  } else if (message.type.startsWith("action.") || message.type.startsWith("clip.")) {
    if (message.type.startsWith("action.")) self.rows.addEvent(message.data);
    take(self.list, message);
  } else if (message.type === "stream.state_changed") {
    refresh(self);
  }
}

async function refresh(self) {
  try {
    adopt(self, await get(self.path));
  } catch (error) {
    if (error.status === 404) fill(self.body, problemBox(error, { title: "This camera was removed" }));
  }
}

function onLink(self, state) {
  self.isLinked = state === "open";
  // The state was asked for before anybody listened, or changed while the line was down.
  if (self.isLinked) refresh(self);
  showState(self);
}

function drawRows(self) {
  // The server's clock, so that a browser with a wrong one shows the same.
  const nowS = Date.now() / 1000 + (self.clockOffsetS ?? 0);
  const rows = self.rows.rows(nowS);
  self.timeline.setRows(rows, nowS);
  self.timeline.setTime(nowS);
}

function showState(self) {
  if (!self.stream) return;
  const [said, tone] = stateOf(self.stream);
  const isCut = self.isLinked === false;
  fill(self.state, isCut ? "No live connection, trying again" : said);
  self.state.dataset.tone = isCut ? "warning" : tone;
  const fault = self.stream.last_error;
  const note = isFlowing(self.stream) ? "" : [said, fault?.message].filter(Boolean).join(": ");
  self.stage.setNote(note);
  self.now.setDoubt(doubtOf(self));
  const trouble = isCut ? "" : troubleOf(self.stream);
  fill(self.trouble, trouble);
  self.trouble.hidden = !trouble;
  const news = note || [trouble && said, trouble].filter(Boolean).join(": ");
  if (news !== self.saidNews) announce(news || `${self.stream.name} is live`);
  self.saidNews = news;
}

function showTools(self) {
  const { stream } = self;
  if (!stream) return;
  const button = (name, label, run) =>
    h("button", { class: "button", type: "button", ...needs("operator"), onclick: run }, icon(name), label);
  const webcam = activeWebcam();
  // Only when something in it changes: a button that has the focus must not be replaced under the finger.
  const key = JSON.stringify([stream, webcam?.streamId]);
  if (key === self.toolsKey) return;
  self.toolsKey = key;
  fill(
    self.tools,
    webcam?.streamId === self.id ? button("close", "Stop this device’s camera", webcam.stop) : null,
    button(stream.enabled ? "pause" : "play", stream.enabled ? "Pause" : "Resume", () =>
      change(self, { enabled: !stream.enabled }),
    ),
    button("fit", counted("Zones", stream.zones), async () => change(self, await editZones(stream))),
    button("bell", counted("Rules", stream.rules), async () => change(self, await editRules(stream, self.catalog))),
    button("edit", "Settings", async () => change(self, await editSettings(stream))),
    button("trash", "Remove", () => leave(self)),
    lacking("operator", "Changing a camera takes the role operator."),
  );
}

function counted(label, items) {
  return items?.length ? `${label} (${items.length})` : label;
}

async function change(self, changes) {
  if (!changes) return;
  if (changes.stream_id) {
    const isOther = changes.privacy?.pictures !== self.stream.privacy?.pictures;
    adopt(self, changes);
    if (isOther) dispatchEvent(new HashChangeEvent("hashchange")); // Another kind of picture: the page opens anew.
    return;
  }
  try {
    adopt(self, await changeStream(self.id, changes));
  } catch (error) {
    fill(self.fault, problemBox(error, { title: "The change was not taken" }));
  }
}

async function leave(self) {
  const { name } = self.stream;
  if (
    !(await confirmDialog({
      title: "Remove this camera?",
      text: `${name} will no longer be watched. Its events stay.`,
      yes: "Remove",
    }))
  )
    return;
  try {
    if (activeWebcam()?.streamId === self.id) activeWebcam().stop();
    await remove(self.path);
    notify(`${name} removed.`, { outlives: true });
    go("/live");
  } catch (error) {
    fill(self.fault, problemBox(error, { title: `${name} is still there` }));
  }
}

function choose(self, trackId) {
  self.selected = trackId;
  self.stage.overlay.setOptions({ selected: trackId });
  self.timeline.setSelected(trackId);
  self.now.setSelected(trackId);
}
