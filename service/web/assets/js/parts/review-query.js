// What the review page shows, as its address holds it and as the service is asked for it.
import { beginOf } from "../days.js";

const FILTERS = ["stream", "action", "zone", "track", "severity", "acknowledged", "min_score"];
export const KEPT = ["day", "from", "to", "pick", "open", "event", ...FILTERS];
const TIME = /^([01]\d|2[0-3]):[0-5]\d$/;

/** The state of an address: a day that is one, times that are some, the filter. `today` is the day without one. */
export function readState(query, today) {
  const state = { day: beginOf(query.get("day")) ? query.get("day") : today };
  for (const name of KEPT.slice(1)) if (query.get(name)) state[name] = query.get(name);
  for (const name of ["from", "to"]) if (state[name] && !TIME.test(state[name])) delete state[name];
  if (state.to && state.to <= (state.from ?? "")) delete state.to;
  return state;
}

/** The state as the query of an address. */
export function queryOf(state) {
  return new URLSearchParams(KEPT.filter((name) => state[name]).map((name) => [name, state[name]]));
}

/** The filter alone, as the service is asked; without what was taken back. */
export function filterOf(state) {
  const wanted = new URLSearchParams({ retracted: "false" });
  for (const name of FILTERS) if (state[name]) wanted.set(name, state[name]);
  return wanted;
}

/** The same for the list: of the camera whose part of the day was chosen, where one was. */
export function listFilterOf(state) {
  return filterOf(state.pick ? { ...state, stream: state.pick } : state);
}

/** The bounds of the whole day, in ISO. */
export function dayRange(day) {
  return { since: beginOf(day), until: beginOf(day, 1) };
}

/** The bounds of what is chosen: the day, or a part of it. */
export function chosenRange({ day, from, to }) {
  const whole = dayRange(day);
  return { since: from ? at(day, from) : whole.since, until: to ? at(day, to) : whole.until };
}

/** "09:05" of a moment in milliseconds, by this browser's clock. */
export function timeOf(ms) {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** "2026-05-04" of a moment, by this browser's clock. */
export function dayOf(date) {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The day some days later. */
export function dayAfter(day, days) {
  return dayOf(new Date(beginOf(day, days)));
}

function at(day, time) {
  const [year, month, date] = day.split("-").map(Number);
  const [hour, minute] = time.split(":").map(Number);
  return new Date(year, month - 1, date, hour, minute).toISOString();
}

function two(value) {
  return String(value).padStart(2, "0");
}
