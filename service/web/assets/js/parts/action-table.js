// Every action found, in order of time: the timeline for those who read rather than look.
import { fill, h } from "../dom.js";
import { clock, duration, nameOf, percent, words } from "../format.js";
import { swatch } from "./legend.js";

const PAGE_ROWS = 100;

/** `onSeek(timeS, trackId)` is called when a row is chosen. Returns {element, setRows(rows), setHidden(actions), setTime(timeS)}. */
export function createActionTable({ onSeek }) {
  const body = h("tbody", {});
  const more = h("button", { class: "button", type: "button", hidden: true, onclick: () => grow() }, "Show more");
  const table = h(
    "table",
    { class: "actions" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["Action", "Person", "From", "To", "Lasted", "Score"].map((name) => h("th", { scope: "col" }, name)),
      ),
    ),
    body,
  );
  const self = { all: [], hidden: new Set(), limit: PAGE_ROWS, rows: [] };
  const render = () => {
    const shown = self.all.filter((one) => !self.hidden.has(one.action));
    self.rows = shown.slice(0, self.limit).map((one) => ({ one, element: tableRow(one, onSeek) }));
    fill(
      body,
      self.rows.map((row) => row.element),
    );
    more.hidden = shown.length <= self.limit;
    fill(more, `Show ${Math.min(PAGE_ROWS, shown.length - self.limit)} more of ${shown.length}`);
  };
  function grow() {
    self.limit += PAGE_ROWS;
    render();
  }
  return {
    element: h("div", { class: "table-scroll" }, table, more),
    setRows(rows) {
      self.all = rows
        .flatMap((row) => row.segments.map((segment) => ({ ...segment, trackId: row.trackId, number: row.number })))
        .sort((one, other) => one.startS - other.startS);
      render();
    },
    setHidden(actions) {
      self.hidden = actions;
      render();
    },
    setTime(timeS) {
      for (const { one, element } of self.rows) {
        const isNow = String(one.startS <= timeS && timeS < one.endS);
        if (element.dataset.now !== isNow) element.dataset.now = isNow;
      }
    },
  };
}

function tableRow(one, onSeek) {
  return h(
    "tr",
    { dataset: { action: one.action } },
    h(
      "th",
      { scope: "row" },
      h(
        "button",
        {
          type: "button",
          class: "row-link",
          onclick: () => onSeek(one.startS, one.trackId),
          "aria-label": `${words(one.action)}, person ${nameOf(one)}, at ${clock(one.startS, 1)}`,
        },
        swatch(one.action, one.quality),
        words(one.action),
      ),
      one.quality === "experimental"
        ? h("span", { class: "tag", title: "Not yet measured well enough to rely on" }, "experimental")
        : null,
      one.state === "provisional" ? h("span", { class: "tag" }, "provisional") : null,
    ),
    h("td", { title: `Track ${one.trackId}` }, nameOf(one)),
    h("td", {}, clock(one.startS, 1)),
    h("td", {}, clock(one.endS, 1)),
    h("td", {}, duration(one.endS - one.startS)),
    h("td", {}, percent(one.score)),
  );
}
