// One video: its picture with people drawn over it, its timeline, its actions, its downloads.
import { get, remove } from "../api.js";
import { loadCatalog } from "../catalog.js";
import { confirmDialog } from "../dialog.js";
import { announce, closers, fill, h } from "../dom.js";
import { bytes, count, duration, moment } from "../format.js";
import { icon } from "../icons.js";
import { loadRows, settled } from "../job-data.js";
import { faultOf, isActive, jobOf } from "../jobs.js";
import { notify, problemBox } from "../notify.js";
import { createActionTable } from "../parts/action-table.js";
import { downloadMenu, downloadsOf } from "../parts/downloads.js";
import { exerciseView } from "../parts/exercise-view.js";
import { createWaiting } from "../parts/job-waiting.js";
import { keyHints } from "../parts/key-hints.js";
import { createLegend } from "../parts/legend.js";
import { createNowList } from "../parts/now-list.js";
import { createStage } from "../parts/stage.js";
import { FrameStore, readResults } from "../results.js";
import { needs } from "../roles.js";
import { go } from "../router.js";
import { createTimeline } from "../timeline.js";

/** Fill `main` with the page of job `params.id`; returns its clean-up. */
export function open(main, params) {
  document.title = "Video – Actogram";
  const end = closers();
  const abort = new AbortController();
  end.add(() => abort.abort());
  const self = { id: params.id, end, abort, job: null, store: new FrameStore(), rows: [], selected: null };
  self.title = h("h1", {}, "Video");
  self.facts = h("p", { class: "faint" });
  self.tools = h("div", { class: "button-row" });
  self.body = h("div", {});
  main.append(
    h(
      "div",
      { class: "page-head item" },
      h("div", {}, h("a", { class: "crumb", href: "#/" }, icon("back", 16), "Videos"), self.title, self.facts),
      self.tools,
    ),
    self.body,
  );
  end.add(() => stopWaiting(self));
  start(self);
  return end.close;
}

async function start(self) {
  try {
    show(self, jobOf(await get(`/v1/jobs/${self.id}`, { signal: self.abort.signal })));
  } catch (error) {
    if (error.name === "AbortError") return;
    fill(self.title, error.status === 404 ? "No such video" : "Video");
    fill(self.body, problemBox(error, { retry: error.status === 404 ? null : () => start(self) }));
  }
}

function show(self, job) {
  const before = self.job?.state;
  self.job = job;
  document.title = `${job.name} – Actogram`;
  fill(self.title, job.name);
  fill(self.facts, factsOf(job).join(" · "));
  if (isActive(job)) showWaiting(self, job);
  else stopWaiting(self);
  if (job.state === before) return;
  fill(self.tools, toolsOf(self, job));
  if (job.state === "succeeded") showResult(self, job);
  else if (!isActive(job)) showFailure(self, job);
}

function factsOf(job) {
  const [width, height] = job.frameSize ?? [];
  return [
    moment(job.createdAt),
    width ? `${width} × ${height}` : null,
    Number.isFinite(job.durationS) ? duration(job.durationS) : null,
    Number.isFinite(job.sizeBytes) ? bytes(job.sizeBytes) : null,
    job.model ?? null,
  ].filter(Boolean);
}

function toolsOf(self, job) {
  const discard = h(
    "button",
    { class: "button", type: "button", ...needs("operator"), onclick: () => leave(self, job) },
    icon(isActive(job) ? "close" : "trash"),
    isActive(job) ? "Cancel" : "Delete",
  );
  if (job.state !== "succeeded") return [discard];
  const menu = downloadMenu(downloadsOf(job));
  self.end.add(menu.close);
  return [discard, menu.element];
}

async function leave(self, job) {
  const { name } = job;
  const text = `${name} and everything found in it will be removed.`;
  if (!isActive(job) && !(await confirmDialog({ title: "Delete this video?", text, yes: "Delete" }))) return;
  try {
    await remove(`/v1/jobs/${job.id}`);
    notify(`${name} ${isActive(job) ? "cancelled" : "deleted"}.`, { outlives: true });
    go("/");
  } catch (error) {
    notify(`${name}: ${error.message}`, { kind: "error" });
  }
}

function showWaiting(self, job) {
  if (!self.waiting) {
    self.waiting = createWaiting(self.id, {
      onJob: (next) => show(self, next),
      onGone: (error) => (stopWaiting(self), fill(self.body, problemBox(error, { title: "This video was removed" }))),
    });
    fill(self.body, self.waiting.element);
  }
  self.waiting.show(job);
}

function stopWaiting(self) {
  self.waiting?.close();
  self.waiting = null;
}

function showFailure(self, job) {
  const text = job.state === "cancelled" ? "It was cancelled before it was done." : faultOf(job);
  fill(
    self.body,
    problemBox(
      { message: text, code: job.error?.code },
      { title: job.state === "cancelled" ? "Cancelled" : "The analysis failed" },
    ),
  );
}

async function showResult(self, job) {
  const legend = createLegend({
    onHidden: (actions) => (self.timeline.setHidden(actions), self.table.setHidden(actions)),
  });
  const pick = (trackId) => choose(self, trackId);
  self.now = createNowList({ onPick: pick, empty: "Nobody is followed at this moment." });
  self.timeline = createTimeline({ onSeek: (timeS) => self.stage.seek(timeS) });
  self.table = createActionTable({ onSeek: (timeS, trackId) => showAction(self, timeS, trackId) });
  self.stage = stageOf(self, job, job.links.source ?? `/v1/jobs/${job.id}/source`, pick);
  self.note = h("div", {});
  self.isAnnotated = false;
  const found = h(
    "section",
    { "aria-label": "Actions" },
    h("div", { class: "section-head" }, h("h2", {}, "Actions")),
    self.table.element,
  );
  const nobody = h(
    "div",
    { class: "empty slim", hidden: true },
    h("h2", {}, "Nobody is in this video"),
    h("p", {}, "It was read to its end and no person was found. That is an answer too: the downloads hold it."),
  );
  self.frame = h(
    "div",
    { class: "player over-timeline" },
    self.stage.element,
    h(
      "aside",
      { class: "side card", "aria-label": "In the picture now" },
      h("h2", {}, "Now"),
      self.now.element,
      keyHints(),
    ),
  );
  fill(
    self.body,
    self.note,
    nobody,
    self.frame,
    h("section", { "aria-label": "Timeline" }, self.timeline.element, legend.element),
    found,
    exerciseView(job.id, { onSeek: (timeS) => self.stage.seek(timeS) }),
  );
  self.end.add(self.timeline.close);
  self.end.add(() => self.stage.close());
  const catalog = await loadCatalog();
  await Promise.all([fillTimeline(self, legend, catalog, { found, nobody }), fillFrames(self, catalog)]);
}

function stageOf(self, job, source, pick) {
  return createStage({
    source,
    personsAt: (timeS) => (self.isAnnotated ? [] : personsAt(self, timeS)),
    timeBeside: (timeS, way) => self.store.timeBeside(timeS, way),
    onPick: pick,
    onTime(timeS, persons) {
      self.timeline.setTime(timeS);
      self.table.setTime(timeS);
      self.now.show(self.isAnnotated ? personsAt(self, timeS) : persons);
    },
    onUnplayable: () => useAnnotated(self, job, pick),
  });
}

function personsAt(self, timeS) {
  return settled(self.store.at(timeS)?.persons ?? [], self.rows, timeS);
}

async function fillTimeline(self, legend, catalog, { found, nobody }) {
  try {
    const { rows, durationS } = await loadRows(self.id, catalog, self.abort.signal);
    const length = self.job.durationS ?? durationS;
    self.rows = rows;
    legend.setRows(rows);
    self.table.setRows(rows);
    self.timeline.setRows(rows, length);
    nobody.hidden = rows.length > 0;
    self.timeline.element.hidden = rows.length === 0;
    found.hidden = rows.every((row) => row.segments.length === 0);
    announce(rows.length ? `${count(rows.length, "person", "people")} found` : "Nobody is in this video");
  } catch (error) {
    if (error.name !== "AbortError") self.note.append(problemBox(error, { title: "The timeline cannot be shown" }));
  }
}

async function fillFrames(self, catalog) {
  const onLine = (item) => {
    if (item.layout) self.stage.overlay.setOptions({ edges: catalog.layouts.get(item.layout)?.edges ?? [] });
  };
  self.stage.overlay.setOptions({ edges: catalog.layouts.get("coco17")?.edges ?? [] });
  try {
    const bad = await readResults(`/v1/jobs/${self.id}/results`, self.store, {
      onLine,
      onFrames: () => self.stage.refresh(),
      signal: self.abort.signal,
    });
    if (bad) notify(`${count(bad, "line")} of the results could not be read.`, { kind: "error" });
    self.frame.dataset.frames = self.store.numFrames;
  } catch (error) {
    if (error.name !== "AbortError") self.note.append(problemBox(error, { title: "The skeletons cannot be shown" }));
  }
}

function showAction(self, timeS, trackId) {
  choose(self, trackId);
  // A player shows the frame before a time that lies between two: the action's own first frame is meant.
  self.stage.seek(self.store.frameTimeFrom(timeS) + 0.001);
  self.stage.element.scrollIntoView({ block: "nearest" });
}

function choose(self, trackId) {
  self.selected = trackId;
  self.stage.overlay.setOptions({ selected: trackId });
  self.timeline.setSelected(trackId);
  self.now.setSelected(trackId);
  const row = self.rows.find((one) => one.trackId === trackId);
  if (row) announce(`Person ${row.number} is highlighted`);
}

function useAnnotated(self, job, pick) {
  // The file was analysed, so it is sound: it is the browser that lacks its codec. The service's own MP4 always plays.
  if (self.isAnnotated || !job.links.video)
    return fill(self.note, problemBox({ message: noPicture(self) }, { title: "This browser cannot play the file" }));
  self.isAnnotated = true;
  fill(
    self.note,
    h("p", { class: "faint note" }, "This browser cannot play the original file, so the annotated copy is shown."),
  );
  const old = self.stage;
  self.stage = stageOf(self, job, job.links.video, pick);
  old.element.replaceWith(self.stage.element);
  old.close();
  return null;
}

function noPicture(self) {
  const copy = self.isAnnotated
    ? "Its annotated copy does not play either."
    : "An annotated MP4 would play: ask for one when you upload it.";
  return `${copy} The timeline and the downloads hold everything that was found.`;
}
