// A camera's day in one strip: where events began, where they went on; a cursor for keys, a range for a finger or a mouse.
import { h, oncePerFrame } from "../dom.js";
import { count } from "../format.js";
import { onThemeChange } from "../theme.js";
import { timeOf } from "./review-query.js";

const HEIGHT_PX = 34;
const WINDOW_PARTS = 3; // what one tap or Enter chooses: a quarter of an hour

/**
 * `parts`: into how many the day is cut; `range()`: its bounds {since, until}. `onChoose({from, to})` gets times as "09:05".
 * Returns {element, show(cells), mark(sinceMs, untilMs), close}; `cells`: part → [events, alarms, warnings, going on].
 */
export function createDayStrip({ name, parts, range, onChoose }) {
  const canvas = h("canvas", { class: "strip-canvas", "aria-hidden": "true" });
  const element = h(
    "div",
    { class: "strip", role: "slider", tabindex: "0", "aria-label": `${name}, time of the day`, "aria-valuemin": "0", "aria-valuemax": String(parts - 1) },
    canvas,
  );
  const self = { element, canvas, parts, range, cells: new Map(), at: 0, drag: null, marked: null, isFocused: false };
  const redraw = oncePerFrame(() => paint(self));
  const observer = new ResizeObserver(redraw);
  observer.observe(element);
  const stopTheme = onThemeChange(redraw);
  const choose = (first, last) => onChoose(timesOf(self, first, last));
  element.addEventListener("keydown", (event) => onKey(event, self, redraw, choose));
  for (const [kind, isFocused] of [["focus", true], ["blur", false]])
    element.addEventListener(kind, () => {
      self.isFocused = isFocused;
      redraw();
    });
  pointing(self, redraw, choose);
  describe(self);
  return {
    element,
    show(cells) {
      self.cells = cells;
      describe(self);
      redraw();
    },
    mark(sinceMs, untilMs) {
      self.marked = sinceMs === null ? null : [sinceMs, untilMs];
      redraw();
    },
    close() {
      observer.disconnect();
      stopTheme();
    },
  };
}

/** "09:05, 2 events, 1 alarm" of a part. */
export function saidOf(self, part) {
  const [events = 0, alarms = 0, , going = 0] = self.cells.get(part) ?? [];
  return [
    timeOf(momentOf(self, part)),
    events ? count(events, "event") : going ? "going on" : "nothing",
    alarms ? count(alarms, "alarm") : null,
  ]
    .filter(Boolean)
    .join(", ");
}

function momentOf(self, part) {
  const [begin, end] = bounds(self);
  return begin + (part * (end - begin)) / self.parts;
}

function bounds(self) {
  const { since, until } = self.range();
  return [Date.parse(since), Date.parse(until)];
}

function timesOf(self, first, last) {
  const isEnd = last + 1 >= self.parts;
  return { from: timeOf(momentOf(self, first)), to: isEnd ? null : timeOf(momentOf(self, last + 1)) };
}

function describe(self) {
  self.element.setAttribute("aria-valuenow", String(self.at));
  self.element.setAttribute("aria-valuetext", saidOf(self, self.at));
  self.element.title = saidOf(self, self.at);
}

function onKey(event, self, redraw, choose) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? self.parts / 24 : 1;
  const busy = [...self.cells].filter(([, [events]]) => events).map(([part]) => part);
  const targets = {
    ArrowLeft: self.at - step,
    ArrowRight: self.at + step,
    Home: 0,
    End: self.parts - 1,
    PageDown: busy.find((part) => part > self.at) ?? self.at,
    PageUp: busy.findLast((part) => part < self.at) ?? self.at,
  };
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    const [first, last] = windowAt(self, self.at);
    return choose(first, last);
  }
  if (!(event.key in targets)) return;
  event.preventDefault();
  self.at = Math.max(0, Math.min(self.parts - 1, Math.round(targets[event.key])));
  describe(self);
  redraw();
}

function windowAt(self, part) {
  const first = Math.floor(part / WINDOW_PARTS) * WINDOW_PARTS;
  return [first, Math.min(self.parts, first + WINDOW_PARTS) - 1];
}

function pointing(self, redraw, choose) {
  const { element } = self;
  const partAt = (event) => {
    const frame = element.getBoundingClientRect();
    const share = Math.max(0, Math.min(0.9999, (event.clientX - frame.left) / frame.width));
    return Math.floor(share * self.parts);
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    self.drag = { from: partAt(event), x: event.clientX };
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    self.at = partAt(event);
    describe(self);
    redraw();
  });
  element.addEventListener("pointerup", (event) => {
    if (!self.drag) return;
    const [one, other] = [self.drag.from, partAt(event)].sort((a, b) => a - b);
    const isTap = Math.abs(event.clientX - self.drag.x) < 6;
    self.drag = null;
    choose(...(isTap ? windowAt(self, one) : [one, other]));
  });
  // A finger that scrolls the page takes its pointer away: nothing is chosen then.
  element.addEventListener("pointercancel", () => {
    self.drag = null;
    redraw();
  });
}

function paint(self) {
  const { canvas, element, parts, cells } = self;
  const width = element.clientWidth;
  const ratio = Math.min(devicePixelRatio || 1, 2);
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(HEIGHT_PX * ratio)];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const colour = (name) => getComputedStyle(element).getPropertyValue(name);
  const x = (part) => (part * width) / parts;
  paintMarks(self, pen, colour, width);
  const most = Math.max(4, ...[...cells.values()].map(([events]) => events));
  for (const [part, [events, alarms, warnings, going]] of cells) {
    const wide = Math.max(1.5, width / parts);
    if (going) fillAt(pen, colour("--line-strong"), [x(part), HEIGHT_PX - 3, wide, 3]);
    if (!events) continue;
    const tall = 6 + (HEIGHT_PX - 10) * Math.sqrt(events / most);
    const tone = alarms ? "--alarm" : warnings ? "--warning" : "--ink-3";
    fillAt(pen, colour(tone), [x(part), HEIGHT_PX - tall, alarms ? Math.max(3, wide) : wide, tall]);
  }
  canvas.dataset.cells = cells.size;
}

function paintMarks(self, pen, colour, width) {
  const [begin, end] = bounds(self);
  if (self.marked) {
    const [first, last] = self.marked.map((ms) => ((ms - begin) / (end - begin)) * width);
    fillAt(pen, colour("--track"), [first, 0, Math.max(2, last - first), HEIGHT_PX]);
  }
  if (self.drag && self.drag.from !== self.at) {
    const [one, other] = [self.drag.from, self.at].sort((a, b) => a - b);
    fillAt(pen, colour("--track"), [(one * width) / self.parts, 0, ((other + 1 - one) * width) / self.parts, HEIGHT_PX]);
  }
  if (self.isFocused) fillAt(pen, colour("--focus"), [(self.at * width) / self.parts, 0, 2, HEIGHT_PX]);
}

function fillAt(pen, colour, box) {
  pen.fillStyle = colour;
  pen.fillRect(...box);
}
