// What the service says of a finished job, in the form that the timeline, the legend and the table share.
import { get } from "./api.js";
import { qualityOf } from "./catalog.js";

/**
 * Rows of the timeline: [{trackId, number, startS, endS, segments: [{action, startS, endS, score, state, quality}]}] in order
 * of appearance, and the duration in seconds. People are shown by number: track ids skip those who proved to be nobody.
 */
export async function loadRows(jobId, catalog, signal) {
  const answer = await get(`/v1/jobs/${jobId}/timeline`, { signal });
  const tracks = answer.tracks ?? answer.items ?? [];
  const rows = tracks
    .map((track) => rowOf(track, catalog))
    .sort((one, other) => one.startS - other.startS || one.trackId - other.trackId)
    .map((row, index) => ({ ...row, number: index + 1 }));
  const lastS = Math.max(0, ...rows.map((row) => row.endS));
  return { rows, durationS: answer.duration_s ?? lastS };
}

/**
 * People of a frame with their numbers and final labels, by the rule of docs/results.md. The server settles frames by it too; frames
 * of jobs that were done before it did hold what was said at that moment.
 */
export function settled(persons, rows, timeS) {
  return persons.map((found) => {
    const row = rows.find((one) => one.trackId === found.track_id);
    const person = { ...found, number: row?.number ?? null };
    const covering = row?.segments.filter((one) => one.startS <= timeS && timeS < one.endS) ?? [];
    const now = covering.length ? covering : (row?.segments.filter((one) => one.endS === timeS) ?? []);
    if (now.length) {
      const best = now.reduce((one, other) => (other.score > one.score ? other : one));
      return { ...person, action: best.action, score: best.score, status: "assessed", reason: null };
    }
    return person.status === "assessed" ? { ...person, action: null, score: 0, status: "none" } : person;
  });
}

function rowOf(track, catalog) {
  const segments = (track.actions ?? track.segments ?? [])
    .filter((one) => one.state !== "retracted")
    .map((one) => ({
      action: one.action,
      startS: one.start_s,
      endS: one.end_s,
      score: one.score,
      state: one.state,
      quality: one.quality ?? qualityOf(catalog, one.action),
    }));
  return { trackId: track.track_id, startS: track.start_s, endS: track.end_s, segments };
}
