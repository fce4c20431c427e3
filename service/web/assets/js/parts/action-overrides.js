// When each action counts at one camera: threshold, duration, urgency; what is left empty stays the model's own.
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { words } from "../format.js";

const SEVERITIES = ["info", "warning", "alarm"];
const FIELDS = ["threshold", "min_duration_s", "severity"];

/**
 * A folded table of a model's actions. `chosen`: action → {threshold, min_duration_s, severity}, as the API has it; `model`:
 * null for the server's own. Returns {element, value(), setModel(name)}; value() is null until the actions are known, and
 * holds nothing of actions that the model does not have.
 */
export function actionOverrides(chosen, model) {
  const self = { chosen: structuredClone(chosen ?? {}), rows: null, asked: 0 };
  const table = h("div", { class: "override-table" });
  const summary = h("summary", {});
  const tell = () => (summary.textContent = `When each action counts${countText(self)}`);
  const setModel = async (name) => {
    const asked = ++self.asked;
    if (self.rows) self.chosen = { ...self.chosen, ...valueOf(self.rows) };
    try {
      const { items } = await get(`/v1/actions${name ? `?model=${encodeURIComponent(name)}` : ""}`);
      if (asked !== self.asked) return;
      self.rows = items.map((item) => rowOf(item, self.chosen[item.action] ?? {}, tell));
      fill(table, heading(), self.rows.map((row) => row.element));
    } catch (error) {
      if (asked !== self.asked) return;
      self.rows = null;
      fill(table, h("p", { class: "faint" }, `The actions cannot be shown: ${error.message}`));
    }
    tell();
  };
  tell();
  setModel(model);
  const element = h("details", { class: "overrides" }, summary, h("p", { class: "hint" }, HINT), table);
  element.addEventListener("invalid", () => (element.open = true), true); // What is folded cannot say what is wrong.
  return { element, value: () => (self.rows ? valueOf(self.rows) : null), setModel };
}

const HINT =
  "An action becomes an event when its smoothed score reaches the threshold (0 to 1) and it lasts so many seconds. " +
  "Empty: as the action model has it, which stands in grey.";

function heading() {
  return h(
    "div",
    { class: "override-row override-head", "aria-hidden": "true" },
    ["Action", "Threshold", "Seconds", "Urgency"].map((text) => h("span", {}, text)),
  );
}

function rowOf(item, own, changed) {
  const name = words(item.action);
  const number = (label, value, preset, limits) =>
    h("input", {
      type: "number",
      "aria-label": `${label} of ${name}`,
      value: value ?? "",
      placeholder: preset ?? "",
      step: "any",
      inputmode: "decimal",
      oninput: changed,
      ...limits,
    });
  const threshold = number("Threshold", own.threshold, item.threshold, { min: "0", max: "1" });
  const seconds = number("Seconds", own.min_duration_s, item.min_duration_s, { min: "0", max: "3600" });
  const severity = h(
    "select",
    { "aria-label": `Urgency of ${name}`, onchange: changed },
    h("option", { value: "" }, `${item.severity ?? "the model’s"} (model)`),
    SEVERITIES.map((one) => h("option", { value: one, selected: one === own.severity }, one)),
  );
  const element = h("div", { class: "override-row" }, h("span", {}, name), threshold, seconds, severity);
  return { action: item.action, element, threshold, min_duration_s: seconds, severity };
}

function valueOf(rows) {
  const found = {};
  for (const row of rows) {
    const own = {};
    for (const name of FIELDS)
      if (row[name].value !== "") own[name] = name === "severity" ? row[name].value : Number(row[name].value);
    if (Object.keys(own).length) found[row.action] = own;
  }
  return found;
}

function countText(self) {
  const count = Object.keys(self.rows ? valueOf(self.rows) : self.chosen).length;
  return count ? ` (${count} changed)` : "";
}
