// How the actogram looks: where rows and bars lie, and how they are painted.
import { clock, nameOf, words } from "./format.js";
import { colourOf, inkOn } from "./palette.js";

const AXIS_PX = 26;
const LANE_PX = 20;
const GAP_PX = 8;
const END_PX = 10;
const SHORTEST_BAR_PX = 3;
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200];

/** Give every row its place, and overlapping actions of one person a lane each. */
export function layoutRows(rows) {
  let y = AXIS_PX + 4;
  const laid = rows.map((row) => {
    const ends = [];
    const segments = [...row.segments]
      .sort((one, other) => one.startS - other.startS)
      .map((segment) => {
        const open = ends.findIndex((end) => end <= segment.startS + 1e-3);
        const lane = open < 0 ? ends.length : open;
        ends[lane] = segment.endS;
        return { ...segment, lane };
      });
    const placed = { ...row, segments, yPx: y, lanes: Math.max(1, ends.length) };
    y += placed.lanes * LANE_PX + GAP_PX;
    return placed;
  });
  return Object.assign(laid, { heightPx: y, gutterPx: 56, endPx: END_PX });
}

/** The bar under a point, as {row, segment}, or null. */
export function segmentAt(state, timeS, y) {
  const row = state.laid.find((one) => y >= one.yPx && y < one.yPx + one.lanes * LANE_PX);
  if (!row) return null;
  const lane = Math.floor((y - row.yPx) / LANE_PX);
  const slack = (state.to - state.from) / 400;
  const segment = row.segments.find(
    (one) => one.lane === lane && timeS >= one.startS - slack && timeS <= one.endS + slack,
  );
  return segment ? { row, segment } : null;
}

/** Paint the rows that are scrolled into view, the axis and the cursor. */
export function paintTimeline(canvas, slider, state) {
  const style = getComputedStyle(slider);
  const pen = {
    context: canvas.getContext("2d"),
    width: slider.clientWidth,
    gutter: state.laid.gutterPx,
    height: Math.min(slider.clientHeight || state.laid.heightPx, Math.max(state.laid.heightPx, 60)),
    scroll: slider.scrollTop,
    font: style.fontFamily,
    ink: style.getPropertyValue("--ink"),
    faint: style.getPropertyValue("--ink-3"),
    line: style.getPropertyValue("--line"),
    base: style.getPropertyValue("--track"),
    ground: style.getPropertyValue("--surface"),
    x: (timeS) =>
      state.laid.gutterPx +
      ((timeS - state.from) / (state.to - state.from)) * (slider.clientWidth - state.laid.gutterPx - END_PX),
  };
  size(canvas, pen);
  for (const row of state.laid) {
    const top = row.yPx - pen.scroll;
    if (top > -200 && top < pen.height) paintRow(pen, state, row, top);
  }
  paintAxis(pen, state);
  paintCursor(pen, state);
  canvas.dataset.rows = state.laid.length;
  canvas.dataset.bars = state.laid.reduce((sum, row) => sum + row.segments.length, 0);
}

function size(canvas, pen) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const wanted = [Math.round(pen.width * ratio), Math.round(pen.height * ratio)];
  if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
  canvas.style.blockSize = `${pen.height}px`;
  pen.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.context.clearRect(0, 0, pen.width, pen.height);
  pen.context.textBaseline = "middle";
}

function paintRow(pen, state, row, top) {
  const { context } = pen;
  const isDim = state.selected !== null && state.selected !== row.trackId;
  context.globalAlpha = isDim ? 0.35 : 1;
  context.font = `${state.selected === row.trackId ? 650 : 500} 12px ${pen.font}`;
  context.fillStyle = pen.ink;
  context.textAlign = "end";
  context.fillText(nameOf(row), state.laid.gutterPx - 14, top + LANE_PX / 2);
  clip(pen, state, () => {
    const [x1, x2] = [pen.x(row.startS), pen.x(row.endS)];
    context.fillStyle = pen.base;
    context.fillRect(x1, top + LANE_PX / 2 - 1, Math.max(2, x2 - x1), 2);
    for (const segment of row.segments) paintBar(pen, segment, top + segment.lane * LANE_PX);
  });
  context.globalAlpha = 1;
}

function paintBar(pen, segment, top) {
  const { context } = pen;
  const x1 = pen.x(segment.startS);
  const x2 = Math.max(pen.x(segment.endS), x1 + SHORTEST_BAR_PX);
  const left = Math.max(x1, -20);
  const width = Math.min(x2, pen.width + 20) - left;
  if (width <= 0) return;
  const colour = colourOf(segment.action);
  const isSure = segment.quality !== "experimental" && segment.state !== "provisional";
  context.beginPath();
  context.roundRect(left + 0.5, top + 1.5, Math.max(1, width - 1), LANE_PX - 3, 3);
  context.fillStyle = pen.ground;
  context.fill();
  context.fillStyle = isSure ? colour : hatch(context, colour);
  context.fill();
  context.lineWidth = 1;
  context.strokeStyle = isSure ? pen.ground : colour;
  context.stroke();
  context.font = `560 11.5px ${pen.font}`;
  context.textAlign = "start";
  const text = words(segment.action);
  const room = context.measureText(text).width;
  if (width < room + 12) return;
  const at = Math.max(left, Math.min(pen.gutter, x2 - room - 12)) + 6;
  if (!isSure) {
    context.fillStyle = pen.ground;
    context.fillRect(at - 3, top + 4, room + 6, LANE_PX - 8);
  }
  context.fillStyle = isSure ? inkOn(colour) : pen.ink;
  context.fillText(text, at, top + LANE_PX / 2 + 0.5);
}

const hatches = new Map();

function hatch(context, colour) {
  if (!hatches.has(colour)) {
    const tile = document.createElement("canvas");
    [tile.width, tile.height] = [6, 6];
    const brush = tile.getContext("2d");
    brush.strokeStyle = colour;
    brush.lineWidth = 2;
    brush.stroke(new Path2D("M-1 1L1 -1M0 6L6 0M5 7L7 5"));
    hatches.set(colour, context.createPattern(tile, "repeat"));
  }
  return hatches.get(colour);
}

function paintAxis(pen, state) {
  const { context } = pen;
  context.fillStyle = pen.ground;
  context.fillRect(0, 0, pen.width, AXIS_PX);
  context.fillStyle = pen.line;
  context.fillRect(0, AXIS_PX - 1, pen.width, 1);
  const span = state.to - state.from;
  const room = Math.max(2, (pen.width - state.laid.gutterPx) / 84);
  const step = STEPS_S.find((one) => span / one <= room) ?? STEPS_S.at(-1);
  context.font = `450 11.5px ${pen.font}`;
  context.textAlign = "end";
  context.fillStyle = pen.faint;
  context.fillText("Person", state.laid.gutterPx - 10, AXIS_PX / 2 - 1);
  context.textAlign = "start";
  const origin = state.followS === null ? 0 : state.to; // a live axis counts back from now
  for (let tick = origin + Math.ceil((state.from - origin) / step) * step; tick <= state.to + 1e-6; tick += step) {
    const x = Math.round(pen.x(tick));
    context.fillStyle = pen.line;
    context.fillRect(x, AXIS_PX - 7, 1, 6);
    context.fillStyle = pen.faint;
    const text = tickText(state, tick, step);
    const room = context.measureText(text).width;
    if (x + room + 6 < pen.width) context.fillText(text, x + 4, AXIS_PX / 2 - 1);
    else if (state.followS !== null) context.fillText(text, x - room - 4, AXIS_PX / 2 - 1);
  }
}

function tickText(state, tick, step) {
  if (state.followS === null) return clock(tick, step < 1 ? 1 : 0);
  const ago = Math.round(state.to - tick);
  return ago ? `−${clock(ago)}` : "now";
}

function paintCursor(pen, state) {
  if (state.timeS < state.from || state.timeS > state.to || state.followS !== null) return;
  const x = Math.round(pen.x(state.timeS));
  pen.context.fillStyle = pen.ink;
  pen.context.fillRect(x - 1, 8, 2, pen.height - 8);
  pen.context.beginPath();
  pen.context.moveTo(x - 6, 2);
  pen.context.lineTo(x + 6, 2);
  pen.context.lineTo(x, 11);
  pen.context.fill();
}

function clip(pen, state, paint) {
  pen.context.save();
  pen.context.beginPath();
  pen.context.rect(state.laid.gutterPx - 2, AXIS_PX, pen.width, pen.height);
  pen.context.clip();
  paint();
  pen.context.restore();
}
