// How a stream is: rates, latency, drops, reconnects; asked every two seconds.
import { fill, h } from "../dom.js";
import { count, words } from "../format.js";
import { statusOf } from "../streams.js";

const EVERY_MS = 2000;

/** `onStatus(status)` gets each answer. Returns {element, close}. */
export function createStatusPanel(streamId, onStatus = () => {}) {
  const element = h("dl", { class: "facts status", "aria-label": "Figures" });
  const abort = new AbortController();
  const ask = async () => {
    if (document.hidden) return;
    try {
      const status = await statusOf(streamId, abort.signal);
      fill(element, facts(status));
      onStatus(status);
    } catch {
      // The state beside the name tells what is wrong.
    }
  };
  const timer = setInterval(ask, EVERY_MS);
  ask();
  return {
    element,
    close() {
      clearInterval(timer);
      abort.abort();
    },
  };
}

function facts(status) {
  const { latency_ms: latency = {}, dropped = {} } = status;
  const lost = Object.entries(dropped).filter(([, number]) => number > 0);
  return [
    ["Pictures a second", `${figure(status.fps_in)} in, ${figure(status.fps_analysed)} analysed`],
    [
      "Label after",
      Number.isFinite(latency.p50) ? `${Math.round(latency.p50)} ms, p95 ${Math.round(latency.p95)} ms` : "–",
    ],
    [
      "Skipped",
      lost.length
        ? lost.map(([reason, number]) => `${number.toLocaleString("en")} ${words(reason)}`).join(", ")
        : "none",
    ],
    ["Reconnected", status.reconnects ? count(status.reconnects, "time") : "never"],
  ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { class: "figure" }, value)));
}

function figure(value) {
  return Number.isFinite(value) ? value.toFixed(1) : "–";
}
