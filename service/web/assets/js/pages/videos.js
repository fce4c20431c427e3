// The first page: drop a video, watch it being analysed, open what is done.
import { get, page, remove } from "../api.js";
import { loadCatalog } from "../catalog.js";
import { confirmDialog } from "../dialog.js";
import { announce, closers, fill, h } from "../dom.js";
import { bytes, count, duration, moment } from "../format.js";
import { icon } from "../icons.js";
import { faultOf, isActive, jobOf, progressed } from "../jobs.js";
import { openChannel } from "../live.js";
import { problemBox } from "../notify.js";
import { actionSummary } from "../parts/action-summary.js";
import { dropZone } from "../parts/drop-zone.js";
import { linkForm } from "../parts/link-form.js";
import { thumbnail } from "../parts/thumbnail.js";
import { lacking, needs } from "../roles.js";

const POLL_MS = 2000;
const TONES = { queued: "", running: "busy", succeeded: "good", failed: "alarm", cancelled: "" };

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Videos – Actogram";
  const end = closers();
  const list = h("ul", { class: "jobs", "aria-label": "Analysed videos" });
  const teach = emptyState();
  const fault = h("div", {});
  const more = h("button", { class: "button", type: "button", hidden: true }, "Show older");
  const self = { jobs: new Map(), list, teach, fault, more, next: null, isLive: false };
  const add = (read) => (keep(self, jobOf(read)), render(self));
  const drop = dropZone({ onJob: add });
  self.drop = drop;
  end.add(drop.close);
  main.append(
    h(
      "div",
      { class: "page-head" },
      h(
        "div",
        {},
        h("h1", {}, "Who does what, when."),
        h(
          "p",
          { class: "lede" },
          h("span", needs("operator"), "Drop a video. "),
          "Every person gets a skeleton, and every action a name, a start and an end.",
        ),
      ),
    ),
    drop.element,
    linkForm({ onJob: add, options: drop.networks }),
    lacking("operator", "You may look at everything here; analysing videos and deleting them takes the role operator."),
    h(
      "section",
      { "aria-label": "Videos" },
      h("div", { class: "section-head" }, h("h2", {}, "Videos")),
      fault,
      list,
      teach,
      h("div", { class: "button-row" }, more),
    ),
  );
  more.addEventListener("click", () => load(self, self.next));
  const channel = openChannel(
    { streams: [], messages: ["job"], max_rate_hz: 4 },
    {
      onMessage: (message) => onMessage(self, message),
      onState: (state) => (self.isLive = state === "open"),
      onReset: () => load(self),
    },
  );
  end.add(channel.close);
  const timer = setInterval(() => poll(self), POLL_MS);
  end.add(() => clearInterval(timer));
  load(self);
  return end.close;
}

async function load(self, cursor = null) {
  try {
    const [{ items, next }, catalog] = await Promise.all([
      page(`/v1/jobs?limit=30${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`),
      loadCatalog(),
    ]);
    self.catalog = catalog;
    fill(self.fault);
    items.forEach((read) => keep(self, jobOf(read)));
    self.next = next;
    self.more.hidden = !next;
    self.isLoaded = true;
    render(self);
  } catch (error) {
    fill(self.fault, problemBox(error, { title: "The list cannot be shown", retry: () => load(self) }));
  }
}

function poll(self) {
  // The channel tells progress; while it is down, asking does.
  if (self.isLive) return;
  for (const job of self.jobs.values()) if (isActive(job)) refresh(self, job.id);
}

async function refresh(self, id) {
  try {
    keep(self, jobOf(await get(`/v1/jobs/${id}`)));
  } catch (error) {
    if (error.status === 404) self.jobs.delete(id);
  }
  render(self);
}

function onMessage(self, message) {
  const id = message.job_id;
  const job = self.jobs.get(id);
  if (message.type === "job.progress" && job) {
    keep(self, progressed(job, message.data));
    render(self);
  } else if (id) {
    refresh(self, id);
  }
}

function keep(self, job) {
  const before = self.jobs.get(job.id);
  if (before && isActive(before) && !isActive(job)) announce(`${job.name}: ${stateWords(job)}`);
  self.jobs.set(job.id, job);
}

function render(self) {
  const jobs = [...self.jobs.values()].sort((one, other) => (one.createdAt < other.createdAt ? 1 : -1));
  self.drop.setCompact(jobs.length > 0);
  self.teach.hidden = jobs.length > 0 || !self.isLoaded;
  // Rows are kept and updated in place, so that focus and hover survive every tick.
  const rows = new Map([...self.list.children].map((row) => [row.dataset.id, row]));
  jobs.forEach((job, index) => {
    const row = rows.get(job.id) ?? newRow(self, job);
    rows.delete(job.id);
    updateRow(row, job, self.catalog);
    if (self.list.children[index] !== row) self.list.insertBefore(row, self.list.children[index] ?? null);
  });
  for (const gone of rows.values()) gone.remove();
}

function newRow(self, job) {
  return h(
    "li",
    { class: "job", dataset: { id: job.id } },
    thumbnail(null),
    h(
      "div",
      { class: "job-name" },
      h("a", { href: `#/videos/${job.id}` }),
      h("p", { class: "faint" }),
      h("div", { class: "job-found" }),
    ),
    h(
      "div",
      { class: "job-state" },
      h("span", { class: "state" }),
      h("div", { class: "meter", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, h("span", {})),
      h("p", { class: "faint" }),
    ),
    h("button", {
      class: "button plain icon",
      type: "button",
      ...needs("operator"),
      onclick: () => discard(self, self.jobs.get(job.id)),
    }),
  );
}

function updateRow(row, job, catalog) {
  const [, name, state, action] = row.children;
  const [link, facts, found] = name.children;
  link.textContent = job.name;
  facts.textContent = factsOf(job).join(" · ");
  showFound(row, found, job, catalog);
  const [badge, meter, detail] = state.children;
  badge.textContent = stateWords(job);
  badge.dataset.tone = TONES[job.state] ?? "";
  meter.hidden = job.state !== "running";
  const share = job.progress?.percent;
  meter.dataset.unknown = !Number.isFinite(share);
  meter.style.setProperty("--share", `${share ?? 0}%`);
  meter.setAttribute("aria-label", `Analysis of ${job.name}`);
  if (Number.isFinite(share)) meter.setAttribute("aria-valuenow", Math.round(share));
  else meter.removeAttribute("aria-valuenow");
  detail.textContent = detailOf(job);
  const label = `${isActive(job) ? "Cancel" : "Delete"} ${job.name}`;
  if (action.getAttribute("aria-label") === label) return;
  action.setAttribute("aria-label", label);
  action.title = label;
  action.replaceChildren(icon(isActive(job) ? "close" : "trash"));
}

function showFound(row, found, job, catalog) {
  const key = JSON.stringify([job.links.thumbnail, [...job.actions], Boolean(catalog)]);
  if (row.dataset.found === key) return;
  row.dataset.found = key;
  row.replaceChild(thumbnail(job.links.thumbnail), row.firstElementChild);
  fill(found, job.actions.size && catalog ? actionSummary(job.actions, catalog) : null);
}

function factsOf(job) {
  return [
    moment(job.createdAt),
    Number.isFinite(job.sizeBytes) ? bytes(job.sizeBytes) : null,
    Number.isFinite(job.durationS) ? duration(job.durationS) : null,
    job.state === "succeeded" && Number.isFinite(job.numTracks)
      ? job.numTracks
        ? count(job.numTracks, "person", "people")
        : "nobody in the picture"
      : null,
  ].filter(Boolean);
}

function stateWords(job) {
  if (job.state === "running" && Number.isFinite(job.progress?.percent))
    return `Analysing, ${Math.round(job.progress.percent)} %`;
  return (
    { queued: "Waiting", running: "Analysing", succeeded: "Ready", failed: "Failed", cancelled: "Cancelled" }[
      job.state
    ] ?? job.state
  );
}

function detailOf(job) {
  if (job.state === "failed") return faultOf(job);
  if (job.state !== "running") return "";
  const { fps, eta_s: left } = job.progress ?? {};
  return [
    Number.isFinite(fps) && fps > 0 ? `${fps.toFixed(fps < 10 ? 1 : 0)} frames/s` : null,
    Number.isFinite(left) ? `${duration(left)} left` : null,
  ]
    .filter(Boolean)
    .join(", ");
}

async function discard(self, job) {
  const { name } = job;
  const sure =
    isActive(job) ||
    (await confirmDialog({
      title: "Delete this video?",
      text: `${name} and everything found in it will be removed.`,
      yes: "Delete",
    }));
  if (!sure) return;
  try {
    await remove(`/v1/jobs/${job.id}`);
    self.jobs.delete(job.id);
    announce(`${name} removed`);
    render(self);
  } catch (error) {
    fill(self.fault, problemBox(error, { title: `${name} is still there` }));
  }
}

function emptyState() {
  const step = (title, text) => h("li", {}, h("h3", {}, title), h("p", {}, text));
  return h(
    "div",
    { class: "teach", hidden: true },
    h("p", { class: "quiet" }, "Nothing here yet. This is what happens to a video:"),
    h(
      "ol",
      {},
      step(
        "People are followed",
        "Each person is found, keeps one number from entering to leaving, and gets seventeen joints.",
      ),
      step(
        "Actions are named",
        "Two seconds of a skeleton at a time: walking, sitting down, falling. What cannot be judged says why.",
      ),
      step(
        "You get a timeline",
        "A row per person, a bar per action. Click a bar to see it; download the numbers as JSONL, JSON or CSV.",
      ),
    ),
    h("p", { class: "faint" }, "The same from a terminal: ", h("code", {}, "actogram analyze video.mp4")),
  );
}
