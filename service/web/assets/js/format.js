// Numbers, times and names as people read them.

/** 75.4 → "1:15.4"; hours appear when there are any. `decimals` 0 or 1. */
export function clock(seconds, decimals = 0) {
  if (!Number.isFinite(seconds)) return "–";
  const scale = 10 ** decimals;
  const total = Math.max(0, Math.floor(seconds * scale + 1e-6)) / scale;
  const whole = Math.floor(total);
  const tail = decimals ? (total - whole).toFixed(decimals).slice(1) : "";
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(rest)}${tail}`;
}

/** 0.42 → "0.4 s", 75 → "1 min 15 s". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  const rounded = Math.round(seconds);
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  return `${Math.floor(rounded / 3600)} h ${Math.floor(rounded / 60) % 60} min`;
}

/** 0.923 → "92 %"; a score that is not known stays a dash. */
export function percent(share) {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : "–";
}

/** 1500000 → "1.5 MB". */
export function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (count >= 999.5 && power < units.length - 1) [count, power] = [count / 1000, power + 1];
  return `${power && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[power]}`;
}

/** "sit_down" → "sit down". */
export function words(label) {
  return String(label ?? "").replaceAll("_", " ");
}

/** "1 person", "3 people". */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** "2026-05-04T10:11:12Z" → "10:11" today, "4 May, 10:11" otherwise, in another year "4 May 2026, 10:11". */
export function moment(text, now = new Date(), parts = { hour: "2-digit", minute: "2-digit" }) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return "–";
  const time = date.toLocaleTimeString("en-GB", parts);
  if (date.toDateString() === now.toDateString()) return time;
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year })}, ${time}`;
}

/** The same to the second, as events need it. */
export function momentWithSeconds(text) {
  return moment(text, new Date(), { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** How a person is called where they are shown: by number in a video, by track on a live camera. */
export function nameOf(person) {
  return String(person.number ?? person.track_id ?? person.trackId);
}

/** What rules over time tell: not what a person does. */
export const RULE_ACTIONS = new Set(["not_got_up", "nobody_seen", "lies_outside"]);

/** Things with whom they are about: "fall, person 3"; what is about nobody names nobody. */
export function aboutPerson(text, trackId) {
  return trackId ? `${text}, person ${trackId}` : text;
}

/** Why a person cannot be judged now, in words. */
export function statusWords(status, reason) {
  const reasons = {
    occluded: "hidden",
    too_small: "too small",
    low_fps: "too few frames",
    edge_of_frame: "at the edge",
    identity_uncertain: "identity unsure",
    camera_moved: "camera moves",
    camera_rotated: "camera is turned",
  };
  if (status === "not_assessable") return reasons[reason] ?? words(reason || "cannot be judged");
  return (
    { warming_up: "watching", none: "nothing named", unknown: "unknown action", assessed: "" }[status] ?? words(status)
  );
}
