// Who is told, webhooks, the actions with how well each is known, and what this server can take.
import { get } from "../api.js";
import { loadCatalog } from "../catalog.js";
import { closers, fill, h } from "../dom.js";
import { count, percent, words } from "../format.js";
import { problemBox } from "../notify.js";
import { createDestinations } from "../parts/destinations.js";
import { swatch } from "../parts/legend.js";
import { createWebhooks } from "../parts/webhooks.js";

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Setup – Actogram";
  const end = closers();
  const room = h("div", {});
  const actions = h("div", {});
  const destinations = createDestinations();
  const webhooks = createWebhooks();
  main.append(
    h("div", { class: "page-head item" }, h("h1", {}, "Setup"), h("a", { class: "button", href: "#/setup/keys" }, "Keys")),
    h("section", { "aria-label": "Tell me" }, destinations.element),
    h("section", { "aria-label": "Webhooks" }, webhooks.element),
    h(
      "section",
      { "aria-label": "Actions" },
      h("div", { class: "section-head" }, h("h2", {}, "Actions")),
      h(
        "p",
        { class: "quiet section-lede" },
        "What the model names. Solid ones were measured on recordings that were left out of training whole; experimental ones may be wrong often, and are hatched wherever they show.",
      ),
      actions,
    ),
    h("section", { "aria-label": "Server" }, h("div", { class: "section-head" }, h("h2", {}, "Server")), room),
  );
  destinations.load();
  webhooks.load();
  showActions(actions);
  showRoom(room);
  return end.close;
}

async function showActions(host) {
  const { actions } = await loadCatalog();
  if (!actions.size) return fill(host, problemBox({ message: "The service gave no list of actions." }));
  const head = ["Action", "Known", "Severity", "Begins at", "Ends below", "Lasts at least"];
  const rows = [...actions.values()].map((item) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("span", { class: "with-swatch" }, swatch(item.action, item.quality), words(item.action)),
      ),
      h("td", {}, item.quality === "experimental" ? h("span", { class: "tag" }, "experimental") : item.quality),
      h(
        "td",
        {},
        item.severity === "info"
          ? "info"
          : h("span", { class: "tag", dataset: { tone: item.severity } }, item.severity),
      ),
      h("td", {}, percent(item.threshold)),
      h("td", {}, percent(item.offset_threshold)),
      h("td", {}, seconds(item.min_duration_s)),
    ),
  );
  return fill(
    host,
    h(
      "div",
      { class: "table-scroll" },
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head.map((name) => h("th", { scope: "col" }, name)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ),
  );
}

async function showRoom(host) {
  try {
    const capacity = await get("/v1/capacity");
    const rows = [
      ["Cameras", Number.isFinite(capacity.streams) ? `${capacity.streams} of ${capacity.streams_max}` : null],
      [
        "Pictures a second",
        Number.isFinite(capacity.fps_budget)
          ? `${capacity.fps_planned.toFixed(0)} planned of ${capacity.fps_budget.toFixed(0)}`
          : null,
      ],
      ["Room for", Number.isFinite(capacity.free_slots) ? count(capacity.free_slots, "more camera") : null],
      ["Why", capacity.why ?? null],
    ];
    fill(
      host,
      h(
        "dl",
        { class: "facts" },
        rows.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      ),
    );
  } catch (error) {
    fill(host, problemBox(error, { title: "The room cannot be shown" }));
  }
}

function seconds(value) {
  return Number.isFinite(value) ? `${value.toFixed(1)} s` : "–";
}
