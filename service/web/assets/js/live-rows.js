// The rows of a live timeline, grown from messages and kept within bounds.
import { qualityOf } from "./catalog.js";
import { RULE_ACTIONS } from "./format.js";

const MOST_ROWS = 60;

/** Collects who is there and what they do; times are seconds since 1970. */
export class LiveRows {
  /** windowS: how far back rows are kept. */
  constructor(catalog, windowS) {
    this.catalog = catalog;
    this.windowS = windowS;
    this.people = new Map();
    this.latestS = 0;
  }

  /** People seen in one frame. */
  addFrame(message) {
    const timeS = Date.parse(message.time) / 1000;
    this.latestS = Math.max(this.latestS, timeS);
    for (const { track_id: trackId } of message.data.persons ?? []) this.person(trackId, timeS).endS = timeS;
  }

  /** An action's event as a message or as the API lists it. */
  addEvent(event) {
    if (RULE_ACTIONS.has(event.action)) return; // It lasts beside what people do.
    const [startS, endS] = [Date.parse(event.start_time) / 1000, Date.parse(event.end_time ?? event.start_time) / 1000];
    const person = this.person(event.track_id, startS);
    person.startS = Math.min(person.startS, startS);
    person.endS = Math.max(person.endS, endS);
    if (event.state === "retracted") person.events.delete(event.event_id);
    else
      person.events.set(event.event_id, {
        action: event.action,
        startS,
        endS,
        score: event.score,
        state: event.state,
        quality: qualityOf(this.catalog, event.action),
      });
  }

  /** Rows for the timeline at `nowS`, the newest person last; what is older than the window is forgotten. */
  rows(nowS) {
    const oldest = nowS - this.windowS;
    for (const [trackId, person] of this.people) {
      for (const [id, event] of person.events)
        if (event.state === "ended" && event.endS < oldest) person.events.delete(id);
      if (person.endS < oldest) this.people.delete(trackId);
    }
    const kept = [...this.people].sort(([, one], [, other]) => one.startS - other.startS).slice(-MOST_ROWS);
    return kept.map(([trackId, { startS, endS, events }]) => ({
      trackId,
      startS,
      endS,
      // An action that goes on has its end only at its next update: until then it lasts as long as the person is seen.
      segments: [...events.values()].map((event) =>
        event.state === "ended" ? event : { ...event, endS: Math.max(event.endS, endS) },
      ),
    }));
  }

  person(trackId, timeS) {
    if (!this.people.has(trackId)) this.people.set(trackId, { startS: timeS, endS: timeS, events: new Map() });
    return this.people.get(trackId);
  }
}
