// The actogram: a row per person, a bar per action, a cursor that seeks; drawn on one canvas, worked like a slider.
import { clock, duration, nameOf, percent, words } from "./format.js";
import { atMostEvery, fill, h, oncePerFrame } from "./dom.js";
import { icon } from "./icons.js";
import { layoutRows, paintTimeline, segmentAt } from "./timeline-paint.js";
import { onThemeChange } from "./theme.js";

const SHORTEST_VIEW_S = 2;
const SPEAK_MS = 200;

/**
 * Make a timeline. `onSeek(timeS)` is called when the person points or types. Returns {element, setRows(rows, durationS),
 * setTime(timeS), setHidden(actions), setSelected(trackId), follow(windowS), close}.
 * rows: [{trackId, number, startS, endS, segments: [{action, startS, endS, score, state, quality}]}], in the order to show;
 * where there is no number, the track id is shown.
 */
export function createTimeline({ onSeek, label = "Timeline" }) {
  const canvas = h("canvas", { class: "timeline-canvas", "aria-hidden": "true" });
  const spacer = h("div", { class: "timeline-spacer" }, canvas);
  const tip = h("div", { class: "timeline-tip", hidden: true, "aria-hidden": "true" });
  const slider = h(
    "div",
    { class: "timeline", role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": "0" },
    spacer,
  );
  const state = {
    rows: [],
    laid: [],
    durationS: 0,
    from: 0,
    to: 1,
    timeS: 0,
    hidden: new Set(),
    selected: null,
    followS: null,
  };
  const redraw = oncePerFrame(() => paintTimeline(canvas, slider, state));
  const zoomButtons = zoomRow(state, redraw);
  const element = h("div", { class: "timeline-block" }, slider, tip, zoomButtons);
  const observer = new ResizeObserver(redraw);
  observer.observe(slider);
  const stopTheme = onThemeChange(redraw);
  slider.addEventListener("scroll", redraw);
  slider.addEventListener("keydown", (event) => onKey(event, state, onSeek));
  slider.addEventListener("wheel", (event) => onWheel(event, state, canvas, redraw), { passive: false });
  pointing({ slider, canvas, state, tip, onSeek });

  function layOut() {
    const shown = state.rows.map((row) => ({
      ...row,
      segments: row.segments.filter((one) => !state.hidden.has(one.action)),
    }));
    state.laid = layoutRows(shown);
    spacer.style.blockSize = `${state.laid.heightPx}px`;
    redraw();
  }

  // What a reader hears changes a few times a second at most, however fast frames come.
  const speak = atMostEvery(SPEAK_MS, () => {
    slider.setAttribute("aria-valuenow", state.timeS.toFixed(2));
    slider.setAttribute("aria-valuetext", spoken(state));
  });

  return {
    element,
    setRows(rows, durationS) {
      const wasWhole = state.to - state.from >= state.durationS || !state.durationS;
      Object.assign(state, { rows, durationS });
      if (state.followS === null && wasWhole) Object.assign(state, { from: 0, to: Math.max(durationS, 0.1) });
      if (state.followS === null) slider.setAttribute("aria-valuemax", durationS.toFixed(2));
      zoomButtons.hidden = durationS < 2 * SHORTEST_VIEW_S || state.followS !== null;
      layOut();
    },
    setTime(timeS) {
      state.timeS = timeS;
      if (state.followS !== null) Object.assign(state, { from: timeS - state.followS, to: timeS, durationS: timeS });
      else keepInView(state);
      redraw();
      if (state.followS === null) speak();
    },
    setHidden(actions) {
      state.hidden = actions;
      layOut();
    },
    setSelected(trackId) {
      state.selected = trackId;
      redraw();
    },
    follow(windowS) {
      state.followS = windowS;
      // What moves by itself cannot be set: for a reader it is a picture.
      slider.setAttribute("role", "img");
      for (const name of ["tabindex", "aria-valuemin", "aria-valuemax"]) slider.removeAttribute(name);
    },
    close() {
      observer.disconnect();
      stopTheme();
    },
  };
}

function spoken(state) {
  const acting = state.rows.flatMap((row) =>
    row.segments
      .filter((one) => one.startS <= state.timeS && state.timeS < one.endS)
      .map((one) => `person ${nameOf(row)} ${words(one.action)}`),
  );
  return [clock(state.timeS, 1), ...acting].join(", ");
}

function onKey(event, state, onSeek) {
  const step = event.shiftKey ? 10 : 1;
  const targets = {
    ArrowLeft: state.timeS - step,
    ArrowRight: state.timeS + step,
    Home: 0,
    End: state.durationS,
    PageUp: state.timeS + 30,
    PageDown: state.timeS - 30,
  };
  if (!(event.key in targets) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  onSeek(clamp(targets[event.key], 0, state.durationS));
}

function onWheel(event, state, canvas, redraw) {
  if (state.followS !== null || !(event.ctrlKey || event.metaKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)))
    return;
  event.preventDefault();
  const span = state.to - state.from;
  if (event.ctrlKey || event.metaKey) {
    const frame = canvas.getBoundingClientRect();
    const share = clamp((event.clientX - frame.left - state.laid.gutterPx) / (frame.width - state.laid.gutterPx), 0, 1);
    zoom(state, Math.exp(event.deltaY / 300), state.from + share * span);
  } else {
    const shift = clamp((event.deltaX / canvas.clientWidth) * span, -state.from, state.durationS - state.to);
    Object.assign(state, { from: state.from + shift, to: state.to + shift });
  }
  redraw();
}

function zoomRow(state, redraw) {
  const at = (factor) => () => (zoom(state, factor, clamp(state.timeS, state.from, state.to)), redraw());
  const button = (name, label, run) =>
    h(
      "button",
      { class: "button plain small icon", type: "button", "aria-label": label, title: label, onclick: run },
      icon(name, 16),
    );
  const whole = () => (Object.assign(state, { from: 0, to: state.durationS }), redraw());
  return h(
    "div",
    { class: "timeline-zoom", hidden: true },
    button("minus", "Zoom out", at(2)),
    button("plus", "Zoom in", at(0.5)),
    button("fit", "Show the whole video", whole),
  );
}

function zoom(state, factor, aroundS) {
  const shortest = Math.min(SHORTEST_VIEW_S, state.durationS);
  const span = clamp((state.to - state.from) * factor, shortest, state.durationS);
  const share = (aroundS - state.from) / (state.to - state.from);
  const from = clamp(aroundS - share * span, 0, state.durationS - span);
  Object.assign(state, { from, to: from + span });
}

function keepInView(state) {
  const span = state.to - state.from;
  if (span >= state.durationS || (state.timeS >= state.from && state.timeS <= state.to)) return;
  const from = clamp(state.timeS - 0.1 * span, 0, state.durationS - span);
  Object.assign(state, { from, to: from + span });
}

function pointing({ slider, canvas, state, tip, onSeek }) {
  const place = (event) => {
    const frame = canvas.getBoundingClientRect();
    const share =
      (event.clientX - frame.left - state.laid.gutterPx) / (frame.width - state.laid.gutterPx - state.laid.endPx);
    return {
      timeS: clamp(state.from + share * (state.to - state.from), 0, state.durationS),
      y: event.clientY - frame.top + slider.scrollTop,
      frame,
    };
  };
  let isDown = false;
  slider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.offsetX > canvas.clientWidth) return;
    isDown = true;
    canvas.setPointerCapture(event.pointerId);
    onSeek(place(event).timeS);
  });
  slider.addEventListener("pointermove", (event) => {
    const { timeS, y, frame } = place(event);
    if (isDown) onSeek(timeS);
    const hit = segmentAt(state, timeS, y);
    tip.hidden = !hit;
    if (!hit) return;
    fill(
      tip,
      h("strong", {}, words(hit.segment.action)),
      ` ${percent(hit.segment.score)}`,
      h("br"),
      `Person ${nameOf(hit.row)}, ${clock(hit.segment.startS, 1)} – ${clock(hit.segment.endS, 1)}, ${duration(hit.segment.endS - hit.segment.startS)}`,
      hit.row.number === undefined ? "" : `, track ${hit.row.trackId}`,
    );
    const left = clamp(event.clientX - frame.left, 70, frame.width - 110);
    tip.style.insetInlineStart = `${left}px`;
    tip.style.insetBlockStart = `${event.clientY - frame.top}px`;
  });
  const release = () => (isDown = false);
  slider.addEventListener("pointerup", release);
  slider.addEventListener("pointercancel", release);
  slider.addEventListener("pointerleave", () => (tip.hidden = true));
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
