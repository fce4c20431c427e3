// Where people were: the cells of a grid over the latest picture of a camera.
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { count, duration } from "../format.js";
import { problemBox } from "../notify.js";

const SVG = "http://www.w3.org/2000/svg";

/** `wanted`: the range, as URLSearchParams. Returns an element that fills itself. */
export function createHeatMap(stream, wanted, signal) {
  const host = h("section", { class: "heat", "aria-label": "Where people were" });
  load();
  return host;

  async function load() {
    const asked = new URLSearchParams({ stream: stream.stream_id, since: wanted.get("since"), until: wanted.get("until") });
    try {
      show(await get(`/v1/insights/heatmap?${asked}`, { signal }));
    } catch (error) {
      if (!signal.aborted) fill(host, problemBox(error, { title: "Where people were is not known", retry: load }));
    }
  }

  function show(found) {
    if (!found.events) return fill(host);
    const most = Math.max(...found.seconds.flat());
    fill(
      host,
      h("h2", {}, "Where"),
      h("div", { class: "heat-picture" }, picture(stream), cells(found, most, stream.name)),
      h(
        "p",
        { class: "faint" },
        `Of ${count(found.events, "event")}: each gives its time to the place where the person stood or lay when it last changed. The brightest place holds ${duration(most)}.`,
      ),
    );
  }
}

function picture(stream) {
  if (stream.privacy?.pictures === false) return null;
  const path = `/v1/streams/${encodeURIComponent(stream.stream_id)}/snapshot`;
  return h("img", { src: path, alt: "", onerror: (event) => event.target.remove() });
}

function cells({ seconds, columns, rows }, most, name) {
  const grid = document.createElementNS(SVG, "svg");
  const set = (element, attributes) =>
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  set(grid, { viewBox: `0 0 ${columns} ${rows}`, preserveAspectRatio: "none", role: "img" });
  grid.setAttribute("aria-label", `Where people were in the picture of ${name}`);
  seconds.forEach((row, y) =>
    row.forEach((cell, x) => {
      if (!cell) return;
      const place = document.createElementNS(SVG, "rect");
      // The square root keeps places of a minute in sight beside the bed of a night.
      set(place, { x, y, width: 1, height: 1, "fill-opacity": (0.12 + 0.83 * Math.sqrt(cell / most)).toFixed(3) });
      grid.append(place);
    }),
  );
  return grid;
}
