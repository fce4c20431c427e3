// What a stream's states mean on the page, and the calls that several pages make.
import { get, page, patch } from "./api.js";

const STATES = {
  disabled: ["Paused", ""],
  connecting: ["Connecting", "busy"],
  running: ["Live", "good"],
  degraded: ["Live, behind", "warning"],
  reconnecting: ["Reconnecting", "warning"],
  failed: ["Failed", "alarm"],
};

const TROUBLES = {
  overloaded: "Live, behind",
  low_fps: "Live, too few pictures",
  no_picture: "No picture",
};

/** [words, tone] of a stream's state. */
export function stateOf(stream) {
  const [said, tone] = STATES[stream.state] ?? [stream.state, ""];
  return [stream.state === "degraded" ? (TROUBLES[stream.last_error?.code] ?? said) : said, tone];
}

/** Why a stream that is live is not well; empty when it is. */
export function troubleOf(stream) {
  return stream.state === "degraded" ? (stream.last_error?.message ?? "") : "";
}

/** Whether pictures come now. */
export function isFlowing(stream) {
  return stream.state === "running" || stream.state === "degraded";
}

/** Whether the picture shows anything: a covered or frozen camera sends pictures in which nobody can be seen or missed. */
export function hasPicture(stream) {
  return isFlowing(stream) && stream.last_error?.code !== "no_picture";
}

/** Every stream; forty cameras are one page, four hundred are four. */
export async function allStreams(signal) {
  const found = [];
  let cursor = null;
  do {
    const { items, next } = await page(
      `/v1/streams?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
      signal,
    );
    found.push(...items);
    cursor = next;
  } while (cursor);
  return found;
}

/** Change a part of a stream; gives the stream after it. */
export function changeStream(streamId, changes) {
  return patch(`/v1/streams/${encodeURIComponent(streamId)}`, changes);
}

/** State, rates, latency, drops. */
export function statusOf(streamId, signal) {
  return get(`/v1/streams/${encodeURIComponent(streamId)}/status`, { signal });
}
