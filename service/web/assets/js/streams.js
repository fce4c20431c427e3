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

/** [words, tone] of a state. */
export function stateOf(state) {
  return STATES[state] ?? [state, ""];
}

/** Whether pictures come now. */
export function isFlowing(stream) {
  return stream.state === "running" || stream.state === "degraded";
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
