// Alarms of the last day that nobody has acknowledged, by camera: from the list first, then from messages.
import { page, patch } from "../api.js";

const DAY_MS = 24 * 3600_000;
const MOST = 500;

/** `changed()` follows every change, `rang()` each new alarm. Returns {load, take(message), of(streamId), acknowledge(streamId)}. */
export function openAlarms({ changed, rang }) {
  const held = new Map(); // event id → {streamId, action, trackId, startTime}
  const gone = new Set(); // a list that was on its way meanwhile may still name them
  return { load, take, of, acknowledge };

  async function load() {
    const since = new Date(Date.now() - DAY_MS).toISOString();
    const wanted = new URLSearchParams({ severity: "alarm", acknowledged: "false", retracted: "false", since, limit: MOST });
    const asked = new Set(held.keys());
    const { items } = await page(`/v1/events?${wanted}`);
    const found = new Set(items.map((event) => event.event_id));
    // What came by a message while the list was on its way is not in it yet.
    for (const id of asked) if (!found.has(id)) held.delete(id);
    for (const event of items) if (!gone.has(event.event_id)) add(event.stream_id, event);
    changed();
  }

  function take({ type, stream_id: streamId, data }) {
    if (type === "action.started" && data.severity === "alarm" && !held.has(data.event_id)) {
      add(streamId, data);
      rang();
    } else if (type === "action.retracted") {
      gone.add(data.event_id);
      held.delete(data.event_id);
    } else return;
    changed();
  }

  /** The newest first. */
  function of(streamId) {
    const found = [...held.values()].filter((alarm) => alarm.streamId === streamId);
    return found.sort((one, other) => other.startTime.localeCompare(one.startTime));
  }

  async function acknowledge(streamId) {
    for (const { eventId } of of(streamId)) {
      await patch(`/v1/events/${encodeURIComponent(eventId)}`, { acknowledged: true });
      gone.add(eventId);
      held.delete(eventId);
    }
    changed();
  }

  function add(streamId, event) {
    held.set(event.event_id, {
      eventId: event.event_id,
      streamId,
      action: event.action,
      trackId: event.track_id,
      startTime: new Date(event.start_time ?? Date.now()).toISOString(),
    });
  }
}
