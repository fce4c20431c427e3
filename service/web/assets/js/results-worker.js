// Reads a results stream (JSON lines) off the main thread and packs the frames into typed arrays.

const CHUNK_FRAMES = 1500;
const STATUSES = ["warming_up", "assessed", "none", "unknown", "not_assessable"];
const REASONS = [
  "", "occluded", "too_small", "low_fps", "edge_of_frame", "identity_uncertain", "camera_moved", "camera_rotated",
];

const labels = [""];
const labelIndex = new Map([["", 0]]);
let frames = [];
let numPersons = 0;
let numBad = 0;

onmessage = async (event) => {
  try {
    await read(event.data);
  } catch (error) {
    postMessage({ type: "failed", text: error.message, status: error.status ?? 0, body: error.body ?? "" });
  }
};

async function read({ url }) {
  const response = await fetch(url, { headers: { Accept: "application/x-ndjson" } });
  if (!response.ok)
    throw Object.assign(new Error(`The server answered ${response.status}.`), {
      status: response.status,
      body: await response.text(),
    });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  }
  if (rest.trim()) take(rest);
  flush();
  postMessage({ type: "done", bad: numBad });
}

function take(line) {
  if (!line) return;
  let item;
  try {
    item = JSON.parse(line);
  } catch {
    numBad += 1;
    return;
  }
  if (item.type !== "frame") {
    postMessage({ type: "line", item });
    return;
  }
  frames.push(item);
  numPersons += item.persons?.length ?? 0;
  if (frames.length >= CHUNK_FRAMES || numPersons >= 4 * CHUNK_FRAMES) flush();
}

function flush() {
  if (!frames.length) return;
  const known = labels.length;
  const chunk = pack();
  const moved = Object.values(chunk)
    .filter((part) => ArrayBuffer.isView(part))
    .map((part) => part.buffer);
  postMessage({ type: "chunk", chunk, labels: labels.slice(known) }, moved);
  frames = [];
  numPersons = 0;
}

function pack() {
  const joints = Math.max(
    0,
    ...frames.flatMap((frame) => (frame.persons ?? []).map((person) => person.keypoints?.length ?? 0)),
  );
  const chunk = {
    joints,
    times: new Float64Array(frames.length),
    indices: new Uint32Array(frames.length),
    first: new Uint32Array(frames.length + 1),
    tracks: new Uint32Array(numPersons),
    boxes: new Uint16Array(numPersons * 4),
    points: new Uint16Array(numPersons * joints * 2),
    seen: new Uint8Array(numPersons * joints),
    labels: new Uint16Array(numPersons),
    scores: new Uint8Array(numPersons),
    statuses: new Uint8Array(numPersons),
    reasons: new Uint8Array(numPersons),
  };
  let next = 0;
  frames.forEach((frame, at) => {
    chunk.times[at] = frame.media_time_s;
    chunk.indices[at] = frame.frame_index;
    chunk.first[at] = next;
    for (const person of frame.persons ?? []) packPerson(chunk, next++, person);
  });
  chunk.first[frames.length] = next;
  return chunk;
}

function packPerson(chunk, at, person) {
  chunk.tracks[at] = person.track_id;
  chunk.labels[at] = indexOfLabel(person.action ?? "");
  chunk.scores[at] = Math.round(255 * (person.score ?? 0));
  chunk.statuses[at] = Math.max(0, STATUSES.indexOf(person.status));
  chunk.reasons[at] = Math.max(0, REASONS.indexOf(person.reason ?? ""));
  (person.box ?? []).forEach((value, axis) => (chunk.boxes[4 * at + axis] = squeeze(value)));
  (person.keypoints ?? []).forEach(([x, y, score], joint) => {
    const slot = at * chunk.joints + joint;
    chunk.points[2 * slot] = squeeze(x);
    chunk.points[2 * slot + 1] = squeeze(y);
    chunk.seen[slot] = Math.round(255 * Math.min(1, Math.max(0, score ?? 0)));
  });
}

function squeeze(value) {
  // -0.5..1.5 of the frame in 16 bits: 0.06 px of a 1920 px picture; joints may lie outside.
  return Math.round(Math.min(1, Math.max(0, (value + 0.5) / 2)) * 65535);
}

function indexOfLabel(label) {
  let index = labelIndex.get(label);
  if (index === undefined) {
    index = labels.push(label) - 1;
    labelIndex.set(label, index);
  }
  return index;
}
