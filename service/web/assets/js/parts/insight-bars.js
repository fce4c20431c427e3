// Bars stacked of actions, one for each day, hour, camera, person or action; and the same in numbers.
import { h } from "../dom.js";
import { duration, words } from "../format.js";
import { colourOf } from "../palette.js";
import { swatch } from "./legend.js";

/** `naming`: {nameOf(streamId), catalog}. Returns an element. */
export function stackedBars(found, naming) {
  const longest = Math.max(1, ...found.items.map(together));
  return h(
    "section",
    { "aria-label": "Seconds per action" },
    legend(found.items, naming.catalog),
    h(
      "ol",
      { class: "stacks" },
      found.items.map((item) => row(item, found, longest, naming)),
    ),
  );
}

/** The numbers behind the bars. */
export function insightTable(found, naming) {
  const actions = [...totals(found.items).keys()];
  const heads = [headOf(found.by), "First", "Last", "People", "In the picture", "Falls", "Other alarms", "All actions"];
  return h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Numbers" },
    h(
      "table",
      { class: "plain" },
      h("thead", {}, h("tr", {}, [...heads, ...actions.map(words)].map((head) => h("th", { scope: "col" }, head)))),
      h(
        "tbody",
        {},
        found.items.map((item) => {
          const cells = [
            timeOf(item.first_movement, found),
            timeOf(item.last_movement, found),
            item.tracks || "–",
            lasted(item.presence_s),
            item.falls || "–",
            item.other_alarms || "–",
            lasted(together(item)),
            ...actions.map((action) => lasted(item.totals_s[action])),
          ];
          return h("tr", {}, h("th", { scope: "row" }, labelOf(item, found, naming)), cells.map(numberCell));
        }),
      ),
    ),
  );
}

function numberCell(value) {
  return h("td", { class: "figure" }, String(value));
}

/** Nothing is a dash, so that what there is stands out. */
function lasted(seconds) {
  return seconds ? duration(seconds) : "–";
}

function row(item, found, longest, naming) {
  const parts = Object.entries(item.totals_s).filter(([, seconds]) => seconds > 0);
  parts.sort(([, one], [, other]) => other - one);
  const said = parts.map(([action, seconds]) => `${words(action)} ${duration(seconds)}`).join(", ");
  return h(
    "li",
    { class: "stack" },
    h("span", { class: "stack-name clip-text" }, labelOf(item, found, naming)),
    h(
      "span",
      { class: "stack-bar", role: "img", "aria-label": said || "nothing" },
      parts.map(([action, seconds]) =>
        h("span", {
          class: "stack-part",
          title: `${words(action)}: ${duration(seconds)}`,
          style: { "--action": colourOf(action), "--share": `${(100 * seconds) / longest}%` },
        }),
      ),
    ),
    h("span", { class: "stack-sum figure faint" }, lasted(together(item))),
    item.falls ? h("span", { class: "tag", dataset: { tone: "alarm" } }, `${item.falls} × fall`) : null,
  );
}

function legend(items, catalog) {
  return h(
    "ul",
    { class: "legend", "aria-label": "Actions" },
    [...totals(items)].map(([action, seconds]) =>
      h(
        "li",
        { class: "stack-key" },
        swatch(action, catalog.actions.get(action)?.quality),
        h("span", {}, words(action)),
        h("span", { class: "faint figure" }, duration(seconds)),
      ),
    ),
  );
}

/** Action → seconds over all items, the longest first. */
function totals(items) {
  const sums = new Map();
  for (const [action, seconds] of items.flatMap((item) => Object.entries(item.totals_s)))
    sums.set(action, (sums.get(action) ?? 0) + seconds);
  return new Map([...sums].sort(([, one], [, other]) => other - one));
}

function together(item) {
  return Object.values(item.totals_s).reduce((sum, seconds) => sum + seconds, 0);
}

function headOf(by) {
  return { day: "Day", hour: "Hour", camera: "Camera", track: "Person", action: "Action" }[by];
}

function labelOf(item, { by, tz }, { nameOf }) {
  const at = new Date(item.start_time);
  if (by === "day")
    return at.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: tz });
  if (by === "hour") return hourOf(item, tz);
  if (by === "camera") return nameOf(item.stream_id);
  if (by === "track") return `${nameOf(item.stream_id)}, person ${item.track_id.split(":").pop()}`;
  return words(item.action);
}

function hourOf(item, tz) {
  // The key holds the hour itself; the first one may begin later.
  const hour = item.key.slice(11, 16);
  const day = new Date(item.start_time).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: tz });
  return `${day}, ${hour}`;
}

function timeOf(text, { by, tz }) {
  if (!text) return "–";
  const time = { hour: "2-digit", minute: "2-digit", timeZone: tz };
  const date = by === "day" || by === "hour" ? {} : { day: "numeric", month: "short" };
  return new Date(text).toLocaleString("en-GB", { ...date, ...time });
}
