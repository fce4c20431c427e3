// Who is in the picture now and what each does; the words behind the drawing.
import { fill, h } from "../dom.js";
import { nameOf, percent, statusWords, words } from "../format.js";
import { colourOfPerson } from "../overlay.js";
import { inkOn } from "../palette.js";

const EVERY_MS = 200; // faster than this nobody reads

/**
 * `onPick(trackId)` is called when a row is chosen. Returns {element, show(persons), setDoubt(text), setSelected(trackId)}:
 * a doubt says why it is not known who is there, and stands where "nobody" would; it must be lifted with "".
 */
export function createNowList({ onPick, empty = "Nobody is in the picture.", doubt = "" }) {
  const list = h("ul", { class: "now", "aria-label": "In the picture now" });
  const none = h("p", { class: "quiet now-none" }, doubt || empty);
  const element = h("div", {}, list, none);
  const self = { shown: "", at: 0, timer: 0, selected: null, persons: [], doubt };
  const update = () => {
    self.at = performance.now();
    self.timer = 0;
    const persons = self.doubt ? [] : self.persons;
    none.hidden = persons.length > 0;
    none.textContent = self.doubt || empty;
    const text =
      self.selected +
      JSON.stringify(
        persons.map((person) => [
          person.track_id,
          nameOf(person),
          person.action,
          percent(person.score),
          person.status,
          person.reason,
        ]),
      );
    if (text === self.shown) return;
    self.shown = text;
    render(list, persons, self.selected, onPick);
  };
  return {
    element,
    show(persons) {
      self.persons = persons;
      if (!self.timer) self.timer = setTimeout(update, Math.max(0, EVERY_MS - (performance.now() - self.at)));
    },
    setDoubt(text) {
      if (text === self.doubt) return;
      self.doubt = text;
      update();
    },
    setSelected(trackId) {
      self.selected = trackId;
      update();
    },
  };
}

function render(list, persons, selected, onPick) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.track : null;
  const sorted = [...persons].sort((one, other) => nameOf(one) - nameOf(other));
  fill(
    list,
    sorted.map((person) => row(person, selected, onPick)),
  );
  if (focused) list.querySelector(`[data-track="${CSS.escape(focused)}"]`)?.focus();
}

function row(person, selected, onPick) {
  const isNamed = person.status === "assessed" && person.action;
  const colour = colourOfPerson(person);
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: "now-row",
        dataset: { track: person.track_id },
        title: `Track ${person.track_id}`,
        "aria-pressed": String(selected === person.track_id),
        onclick: () => onPick(selected === person.track_id ? null : person.track_id),
      },
      h(
        "span",
        { class: "now-id figure", style: { "--action": colour, "--on-action": inkOn(colour) } },
        h("span", { class: "unseen" }, "Person "),
        nameOf(person),
      ),
      h(
        "span",
        { class: isNamed ? "now-said" : "now-said quiet" },
        isNamed ? words(person.action) : statusWords(person.status, person.reason),
      ),
      h("span", { class: "faint figure" }, isNamed ? percent(person.score) : ""),
    ),
  );
}
