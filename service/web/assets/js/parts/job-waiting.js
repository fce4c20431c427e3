// A job that is not over yet: how far it is, told by the live channel, asked for while that is away.
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { count, duration } from "../format.js";
import { isActive, jobOf, progressed } from "../jobs.js";
import { openChannel } from "../live.js";

const POLL_MS = 2000;

/**
 * Follow a job. `onJob(job)` gets every answer of the service, `onGone(error)` when the job was removed. Returns
 * {element, show(job), close}.
 */
export function createWaiting(jobId, { onJob, onGone }) {
  const said = h("p", { class: "waiting-said" });
  const meter = h(
    "div",
    { class: "meter", role: "progressbar", "aria-label": "Analysis", "aria-valuemin": "0", "aria-valuemax": "100" },
    h("span", {}),
  );
  const hint = h("p", { class: "faint" }, "You may close this page: the analysis goes on without it.");
  const self = { job: null, isLive: false };
  const ask = async () => {
    try {
      onJob(jobOf(await get(`/v1/jobs/${jobId}`)));
    } catch (error) {
      if (error.status === 404) onGone(error); // Anything else passes: the next turn asks again.
    }
  };
  const channel = openChannel(
    { streams: [], jobs: [jobId], messages: ["job"], max_rate_hz: 5 },
    {
      onMessage: (message) => (message.type === "job.progress" ? show(progressed(self.job, message.data)) : ask()),
      onState: (state) => (self.isLive = state === "open"),
      onReset: ask,
    },
  );
  // Asked now and then even over a live channel: an analysis that began between two pages was told to neither.
  let turn = 0;
  const timer = setInterval(() => (self.isLive && (turn += 1) % 5 ? null : ask()), POLL_MS);
  return {
    element: h("div", { class: "waiting card" }, said, meter, hint),
    show,
    close() {
      channel.close();
      clearInterval(timer);
    },
  };

  function show(job) {
    self.job = job;
    if (!isActive(job)) return;
    const { percent } = job.progress;
    fill(said, job.state === "queued" ? "Waiting for its turn" : ["Analysing", ...progressWords(job)].join(", "));
    meter.dataset.unknown = !Number.isFinite(percent);
    meter.style.setProperty("--share", `${percent ?? 0}%`);
    if (Number.isFinite(percent)) meter.setAttribute("aria-valuenow", Math.round(percent));
    else meter.removeAttribute("aria-valuenow");
  }
}

function progressWords(job) {
  const { percent, fps, eta_s: left, frames } = job.progress;
  const share = Number.isFinite(percent) ? `${Math.round(percent)} %` : frames ? count(frames, "frame") : null;
  const rate = fps > 0 ? `${fps.toFixed(fps < 10 ? 1 : 0)} frames a second` : null;
  return [share, rate, Number.isFinite(left) ? `${duration(left)} left` : null].filter(Boolean);
}
