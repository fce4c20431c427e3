// The frames of a result, found by media time; memory is bounded however long the video is.
import { problem } from "./api.js";
import { address } from "./dom.js";

const STATUSES = ["warming_up", "assessed", "none", "unknown", "not_assessable"];
const REASONS = [
  "", "occluded", "too_small", "low_fps", "edge_of_frame", "identity_uncertain", "camera_moved", "camera_rotated",
];
const MAX_PERSONS = 1_200_000; // about 110 MB packed; beyond it every second frame goes.
const LONGEST_GAP_S = 0.25;

/** Frames packed in chunks, ordered by time. */
export class FrameStore {
  constructor(maxPersons = MAX_PERSONS) {
    this.chunks = [];
    this.times = [];
    this.labels = [""];
    this.numFrames = 0;
    this.numPersons = 0;
    this.maxPersons = maxPersons;
    this.everyNth = 1;
  }

  /** Take a chunk and the labels that are new with it; thins everything when it would hold too much. */
  add(chunk, labels) {
    this.labels.push(...labels);
    this.times.push(chunk.times); // of every frame, also where people are thinned: 2.6 MB for three hours
    for (let nth = 1; nth < this.everyNth; nth *= 2) chunk = thin(chunk);
    this.chunks.push(chunk);
    this.numPersons += chunk.tracks.length;
    this.numFrames += chunk.times.length;
    if (this.numPersons > this.maxPersons) this.halve();
  }

  /** Drop every second frame of everything held and of everything to come. */
  halve() {
    this.chunks = this.chunks.map(thin);
    this.numPersons = this.chunks.reduce((sum, chunk) => sum + chunk.tracks.length, 0);
    this.numFrames = this.chunks.reduce((sum, chunk) => sum + chunk.times.length, 0);
    this.everyNth *= 2;
  }

  /**
   * The frame whose time is nearest to `timeS`: {frameIndex, mediaTimeS, persons}, or null when none is within a
   * quarter of a second.
   */
  at(timeS) {
    const place = this.nearest(timeS);
    if (!place) return null;
    const [chunk, index] = place;
    const persons = [];
    for (let at = chunk.first[index]; at < chunk.first[index + 1]; at += 1) persons.push(this.person(chunk, at));
    return { frameIndex: chunk.indices[index], mediaTimeS: chunk.times[index], persons };
  }

  /** The time of the first frame at or after `timeS`; `timeS` itself where none is known. */
  frameTimeFrom(timeS) {
    const chunk = this.chunks[lowerBound(this.chunks.length, (index) => this.chunks[index].times.at(-1) >= timeS)];
    return chunk ? chunk.times[lowerBound(chunk.times.length, (index) => chunk.times[index] >= timeS)] : timeS;
  }

  /**
   * The time of the frame that is `way` frames after the one nearest to `timeS`, at most that of the first or last one;
   * null where the frames around `timeS` are not known.
   */
  timeBeside(timeS, way) {
    const late = lowerBound(this.times.length, (index) => this.times[index].at(-1) >= timeS);
    const place = nearestOf(this.times, Math.min(late, this.times.length - 1), timeS);
    if (!place || (late === this.times.length && timeS - place.timeS > LONGEST_GAP_S)) return null;
    let { chunk, index } = place;
    for (let left = Math.abs(way); left > 0; left -= 1) {
      index += Math.sign(way);
      if (index >= this.times[chunk].length && chunk + 1 < this.times.length) [chunk, index] = [chunk + 1, 0];
      if (index < 0 && chunk > 0) [chunk, index] = [chunk - 1, this.times[chunk - 1].length - 1];
    }
    return this.times[chunk][Math.max(0, Math.min(index, this.times[chunk].length - 1))];
  }

  nearest(timeS) {
    const late = lowerBound(this.chunks.length, (index) => this.chunks[index].times.at(-1) >= timeS);
    const around = [this.chunks[late], late > 0 ? this.chunks[late - 1] : undefined].filter(Boolean);
    let best = null;
    for (const chunk of around) {
      const after = lowerBound(chunk.times.length, (index) => chunk.times[index] >= timeS);
      for (const index of [after - 1, after]) {
        if (index < 0 || index >= chunk.times.length) continue;
        const away = Math.abs(chunk.times[index] - timeS);
        if (away <= LONGEST_GAP_S * this.everyNth && (!best || away < best[2])) best = [chunk, index, away];
      }
    }
    return best;
  }

  person(chunk, at) {
    const keypoints = [];
    for (let slot = at * chunk.joints; slot < (at + 1) * chunk.joints; slot += 1) {
      keypoints.push([spread(chunk.points[2 * slot]), spread(chunk.points[2 * slot + 1]), chunk.seen[slot] / 255]);
    }
    return {
      track_id: chunk.tracks[at],
      box: Array.from(chunk.boxes.subarray(4 * at, 4 * at + 4), spread),
      keypoints,
      action: this.labels[chunk.labels[at]] || null,
      score: chunk.scores[at] / 255,
      status: STATUSES[chunk.statuses[at]],
      reason: REASONS[chunk.reasons[at]] || null,
    };
  }
}

/**
 * Read a results stream into `store`. `onLine(item)` gets the lines that are no frames, `onFrames()` each packed
 * batch. Resolves to the number of lines that could not be read; raises ApiError. `signal` stops the reading.
 */
export function readResults(url, store, { onLine, onFrames, signal }) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("results-worker.js", import.meta.url), { type: "module" });
    const finish = (settle, value) => {
      worker.terminate();
      settle(value);
    };
    worker.onmessage = ({ data }) => {
      if (data.type === "chunk") {
        store.add(data.chunk, data.labels);
        onFrames();
      } else if (data.type === "line") onLine(data.item);
      else if (data.type === "done") finish(resolve, data.bad);
      else
        finish(
          reject,
          data.status ? problem(data.status, data.body) : new Error(`The results broke off: ${data.text}`),
        );
    };
    worker.onerror = (event) => finish(reject, new Error(event.message || "The results could not be read."));
    signal.addEventListener("abort", () => finish(reject, new DOMException("left the page", "AbortError")));
    worker.postMessage({ url: new URL(address(url), location.href).href });
  });
}

function thin(chunk) {
  const kept = [...chunk.times.keys()].filter((index) => index % 2 === 0);
  const persons = kept.flatMap((index) => range(chunk.first[index], chunk.first[index + 1]));
  const pick = (source, width) => {
    const out = new source.constructor(persons.length * width);
    persons.forEach((at, index) => out.set(source.subarray(at * width, (at + 1) * width), index * width));
    return out;
  };
  const first = new Uint32Array(kept.length + 1);
  kept.forEach((index, at) => (first[at + 1] = first[at] + chunk.first[index + 1] - chunk.first[index]));
  return {
    joints: chunk.joints,
    times: Float64Array.from(kept, (index) => chunk.times[index]),
    indices: Uint32Array.from(kept, (index) => chunk.indices[index]),
    first,
    tracks: pick(chunk.tracks, 1),
    boxes: pick(chunk.boxes, 4),
    points: pick(chunk.points, 2 * chunk.joints),
    seen: pick(chunk.seen, chunk.joints),
    labels: pick(chunk.labels, 1),
    scores: pick(chunk.scores, 1),
    statuses: pick(chunk.statuses, 1),
    reasons: pick(chunk.reasons, 1),
  };
}

function nearestOf(times, around, timeS) {
  let best = null;
  for (const chunk of [around - 1, around]) {
    if (!times[chunk]) continue;
    const after = lowerBound(times[chunk].length, (index) => times[chunk][index] >= timeS);
    for (const index of [after - 1, after]) {
      const away = Math.abs(times[chunk][index] - timeS);
      if (away < (best?.away ?? Infinity)) best = { chunk, index, away, timeS: times[chunk][index] };
    }
  }
  return best;
}

function lowerBound(length, isAtOrAfter) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isAtOrAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function range(start, end) {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

function spread(value) {
  return (value / 65535) * 2 - 0.5;
}
