// Repetitions of an exercise in a video: how many, and the curve they were counted from; a click seeks.
import { get } from "../api.js";
import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { clock, words } from "../format.js";
import { problemBox } from "../notify.js";

const EXERCISES = [
  ["squat", "Squats"],
  ["sit_to_stand", "Standing up from a chair"],
  ["arm_raise", "Raising an arm"],
  ["jump", "Jumps"],
];
const REASONS = {
  joints_unseen: "the joints it needs were not seen for long enough",
  low_fps: "there are too few pictures a second",
  too_short: "the person was seen for too short a time",
};
const ANGLES = ["knee", "hip", "elbow", "shoulder"].flatMap((part) => [`left_${part}`, `right_${part}`]);
const [WIDTH, HEIGHT] = [600, 120];

/** A folded section below a video; nothing is asked of the server until it is opened. `onSeek(seconds)`. */
export function exerciseView(jobId, { onSeek }) {
  const place = h("div", { "aria-live": "polite" });
  const chosen = h(
    "select",
    { onchange: () => load() },
    EXERCISES.map(([value, label]) => h("option", { value }, label)),
  );
  const shown = h(
    "select",
    { onchange: () => show() },
    h("option", { value: "" }, "What is counted"),
    ANGLES.map((name) => h("option", { value: name }, `Angle of the ${words(name)}`)),
  );
  const element = h(
    "details",
    { class: "exercises overrides" },
    h("summary", {}, "Exercises"),
    h(
      "div",
      { class: "fields" },
      h("div", { class: "fields two" }, field("What is counted", chosen), field("Curve", shown)),
      place,
    ),
  );
  element.addEventListener("toggle", () => element.open && load());
  let asked = 0;
  let people = [];
  return element;

  function show() {
    fill(place, people.length ? people.map(person) : h("p", { class: "faint" }, "Nobody is in this video."));
  }

  async function load() {
    const own = ++asked;
    fill(place, h("p", { class: "faint" }, "Counting…"));
    try {
      const found = await get(`/v1/jobs/${jobId}/exercises?exercise=${chosen.value}`);
      if (own !== asked) return;
      people = found.people;
      show();
    } catch (error) {
      if (own === asked) fill(place, problemBox(error, { title: "Nothing was counted" }));
    }
  }

  function person(one) {
    const told = one.count === null ? `cannot be judged: ${REASONS[one.reason] ?? one.reason}` : times(one.count);
    return h(
      "figure",
      { class: "exercise-person" },
      h("figcaption", {}, h("strong", {}, `Person ${one.number}`), ` ${told}`),
      curve(one, shown.value ? (one.angles[shown.value] ?? []) : one.curve, onSeek),
      h("div", { class: "exercise-times" }, one.repetitions.map((rep, index) => jump(rep, index + 1))),
    );
  }

  function jump(rep, number) {
    const label = `${number}: ${clock(rep.turn_s, 1)}`;
    return h("button", { class: "button small", type: "button", onclick: () => onSeek(rep.turn_s) }, label);
  }
}

function times(count) {
  return count === 1 ? "once" : count === 2 ? "twice" : `${count} times`;
}

/** The curve of `values` at the times of a person, repetitions on it; null where nothing was seen. */
function curve(one, values, onSeek) {
  const seen = values.filter((value) => value !== null);
  if (!seen.length) return null;
  const low = seen.reduce((least, value) => Math.min(least, value));
  const high = seen.reduce((most, value) => Math.max(most, value));
  const [first, last] = [one.time_s[0], one.time_s.at(-1)];
  const x = (timeS) => (WIDTH * (timeS - first)) / (last - first || 1);
  const y = (value) => HEIGHT - 8 - ((HEIGHT - 16) * (value - low)) / (high - low || 1);
  let path = "";
  values.forEach((value, at) => {
    if (value === null) return;
    const isNext = at > 0 && values[at - 1] !== null;
    path += `${isNext ? "L" : "M"}${x(one.time_s[at]).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  const nearest = (timeS) =>
    one.time_s.reduce((best, t, at) => (Math.abs(t - timeS) < Math.abs(one.time_s[best] - timeS) ? at : best), 0);
  const dots = one.repetitions.map((rep) => ({ x: x(rep.turn_s), y: y(values[nearest(rep.turn_s)] ?? low) }));
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "exercise-curve" });
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `Curve with ${one.repetitions.length} repetitions`);
  picture.append(svg("path", { d: path }), ...dots.map((dot) => svg("circle", { cx: dot.x, cy: dot.y, r: 4 })));
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    onSeek(first + ((event.clientX - box.left) / box.width) * (last - first));
  });
  return picture;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
