// Draws people over a picture: boxes, skeletons, and a label that says what they do or why nothing is said.
import { nameOf, percent, statusWords, words } from "./format.js";
import { NEUTRAL, colourOf, inkOn } from "./palette.js";

const SEEN = 0.3; // a joint below this score is not drawn
const FONT = '"Segoe UI", Inter, Roboto, "Noto Sans", "Liberation Sans", system-ui, sans-serif';

/**
 * Make a canvas that lies over `picture` (video, img or canvas) and follows its size.
 * Returns {canvas, draw(persons), setOptions(options), pick(event), close}. Options: showBoxes, showSkeletons,
 * showLabels, edges, selected (track id or null).
 */
export function createOverlay(picture, naturalSize) {
  const canvas = document.createElement("canvas");
  canvas.className = "overlay";
  canvas.setAttribute("aria-hidden", "true");
  const options = { showBoxes: true, showSkeletons: true, showLabels: true, edges: [], selected: null };
  let persons = [];
  let area = null;
  const redraw = () => {
    area = fit(canvas, picture, naturalSize());
    paint(canvas, area, persons, options);
  };
  const observer = new ResizeObserver(redraw);
  observer.observe(picture);
  return {
    canvas,
    redraw,
    draw(next) {
      persons = next;
      redraw();
    },
    setOptions(changes) {
      Object.assign(options, changes);
      redraw();
    },
    pick: (event) => pick(canvas, area, persons, event),
    close: () => observer.disconnect(),
  };
}

/** What the chip over a person says. */
export function labelOf(person) {
  const said =
    person.status === "assessed" && person.action
      ? `${words(person.action)} ${percent(person.score)}`
      : statusWords(person.status, person.reason);
  return { id: nameOf(person), said };
}

/** The colour a person is drawn in. */
export function colourOfPerson(person) {
  if (person.status === "unknown") return colourOf("unknown");
  return person.status === "assessed" ? colourOf(person.action) : NEUTRAL;
}

function fit(canvas, picture, [width, height]) {
  // The picture is letterboxed inside its element (object-fit: contain): the overlay covers the picture alone.
  const box = { width: picture.clientWidth, height: picture.clientHeight };
  const scale = Math.min(box.width / (width || 1), box.height / (height || 1));
  const shown = { width: width * scale, height: height * scale };
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const size = [Math.round(shown.width * ratio), Math.round(shown.height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  canvas.style.inlineSize = `${shown.width}px`;
  canvas.style.blockSize = `${shown.height}px`;
  canvas.style.insetInlineStart = `${picture.offsetLeft + (box.width - shown.width) / 2}px`;
  canvas.style.insetBlockStart = `${picture.offsetTop + (box.height - shown.height) / 2}px`;
  return { ...shown, ratio };
}

function paint(canvas, area, persons, options) {
  const context = canvas.getContext("2d");
  context.setTransform(area.ratio, 0, 0, area.ratio, 0, 0);
  context.clearRect(0, 0, area.width, area.height);
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const person of persons) {
    context.globalAlpha = options.selected === null || options.selected === person.track_id ? 1 : 0.3;
    if (options.showSkeletons) paintSkeleton(context, area, person, options.edges);
    if (options.showBoxes) paintBox(context, area, person);
  }
  context.globalAlpha = 1;
  if (options.showLabels) paintLabels(context, area, persons);
  canvas.dataset.people = persons.length;
  canvas.dataset.names = persons.map(nameOf).join(" ");
  canvas.dataset.labels = persons.map((person) => person.action ?? person.status).join(" ");
}

function paintSkeleton(context, area, person, edges) {
  const points = (person.keypoints ?? []).map(([x, y, score]) =>
    score >= SEEN ? [x * area.width, y * area.height] : null,
  );
  const line = new Path2D();
  for (const [from, to] of edges) {
    if (!points[from] || !points[to]) continue;
    line.moveTo(...points[from]);
    line.lineTo(...points[to]);
  }
  const joints = new Path2D();
  const radius = thickness(area) * 0.95;
  for (const point of points.filter(Boolean)) {
    joints.moveTo(point[0] + radius, point[1]);
    joints.arc(point[0], point[1], radius, 0, 2 * Math.PI);
  }
  context.lineWidth = thickness(area) + 2;
  context.strokeStyle = "rgb(10 11 12 / 55%)";
  context.stroke(line);
  context.lineWidth = thickness(area);
  context.strokeStyle = colourOfPerson(person);
  context.stroke(line);
  context.fillStyle = "#ffffff";
  context.fill(joints);
}

function paintBox(context, area, person) {
  const [x1, y1, x2, y2] = pixels(person.box, area);
  context.setLineDash(person.status === "not_assessable" ? [5, 5] : person.status === "warming_up" ? [1, 5] : []);
  for (const [width, colour] of [
    [3.5, "rgb(10 11 12 / 45%)"],
    [1.5, colourOfPerson(person)],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
  context.setLineDash([]);
}

function paintLabels(context, area, persons) {
  const size = area.width < 480 ? 11 : 13;
  const height = size + 9;
  const taken = [];
  for (const person of [...persons].sort((one, other) => one.box[1] - other.box[1])) {
    const { id, said } = labelOf(person);
    const [x1, y1] = pixels(person.box, area);
    context.font = `650 ${size}px ${FONT}`;
    const idWidth = context.measureText(id).width + 12;
    context.font = `520 ${size}px ${FONT}`;
    const saidWidth = said ? context.measureText(said).width + 14 : 0;
    const place = free(
      taken,
      {
        x: Math.max(0, Math.min(x1, area.width - idWidth - saidWidth)),
        y: Math.max(0, y1 - height - 3),
        width: idWidth + saidWidth,
        height,
      },
      area,
    );
    taken.push(place);
    paintChip(context, place, { id, said, idWidth, size, colour: colourOfPerson(person) });
  }
}

function paintChip(context, place, { id, said, idWidth, size, colour }) {
  const middle = place.y + place.height / 2 + 0.5;
  context.textBaseline = "middle";
  context.fillStyle = "rgb(12 13 14 / 88%)";
  context.beginPath();
  context.roundRect(place.x, place.y, place.width, place.height, 4);
  context.fill();
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(place.x, place.y, idWidth, place.height, said ? [4, 0, 0, 4] : 4);
  context.fill();
  context.font = `650 ${size}px ${FONT}`;
  context.fillStyle = inkOn(colour);
  context.fillText(id, place.x + 6, middle);
  context.font = `520 ${size}px ${FONT}`;
  context.fillStyle = "#ffffff";
  context.fillText(said, place.x + idWidth + 7, middle);
}

function free(taken, place, area) {
  // People who stand close would cover each other's label: step down until it is free.
  let found = place;
  for (let step = 0; step < 12; step += 1) {
    const other = taken.find(
      (one) =>
        found.x < one.x + one.width &&
        one.x < found.x + found.width &&
        found.y < one.y + one.height &&
        one.y < found.y + found.height,
    );
    if (!other || found.y + 2 * found.height > area.height) return found;
    found = { ...found, y: other.y + other.height + 2 };
  }
  return found;
}

function pick(canvas, area, persons, event) {
  if (!area) return null;
  const frame = canvas.getBoundingClientRect();
  const [x, y] = [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
  const hit = persons.filter(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
  const size = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
  return hit.sort((one, other) => size(one) - size(other))[0]?.track_id ?? null;
}

function thickness(area) {
  return Math.max(1.6, Math.min(4, area.width / 320));
}

function pixels([x1, y1, x2, y2], area) {
  return [x1 * area.width, y1 * area.height, x2 * area.width, y2 * area.height];
}
