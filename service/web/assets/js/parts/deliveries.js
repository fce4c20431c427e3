// What became of messages to a webhook or another destination.
import { get } from "../api.js";
import { openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { moment } from "../format.js";
import { problemBox } from "../notify.js";

const OUTCOMES = { delivered: "good", retrying: "warning", dead: "alarm" };

/** Open a dialog with the newest deliveries below a path of the service. */
export async function showDeliveries(name, path) {
  const list = h("div", { class: "table-scroll" }, h("p", { class: "quiet" }, "Loading…"));
  openDialog({ title: `Deliveries to ${name}`, size: "wide", body: [list] });
  try {
    const { items } = await get(`${path}/deliveries?limit=100`);
    if (!items.length) return fill(list, h("p", { class: "quiet" }, "Nothing was sent yet."));
    const head = ["When", "Outcome", "Message", "Answer", "After", "Detail"];
    return fill(
      list,
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head.map((label) => h("th", { scope: "col" }, label)),
          ),
        ),
        h("tbody", {}, items.map(row)),
      ),
    );
  } catch (error) {
    return fill(list, problemBox(error));
  }
}

function row(one) {
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, moment(one.time)),
    h("td", {}, h("span", { class: "state", dataset: { tone: OUTCOMES[one.outcome] ?? "" } }, one.outcome)),
    h("td", {}, one.type),
    h("td", {}, one.status ?? "–"),
    h("td", {}, Number.isFinite(one.latency_ms) ? `${Math.round(one.latency_ms)} ms` : "–"),
    h("td", { class: "wrap" }, one.detail),
  );
}
