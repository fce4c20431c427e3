// Rules over time of a camera: nobody seen, not got up, lies outside a zone; each for minutes, within hours of the week.
import { get, patch, post, remove } from "../api.js";
import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { duration } from "../format.js";
import { icon } from "../icons.js";
import { createWeeklyHours, zoneField } from "./weekly-hours.js";

const KINDS = [
  ["not_got_up", "Somebody has not got up"],
  ["nobody_seen", "Nobody is seen"],
  ["lies_outside", "Somebody lies outside a zone"],
];
const SEVERITIES = [
  ["info", "Info"],
  ["warning", "Warning"],
  ["alarm", "Alarm"],
];
const STATES = {
  off: ["Switched off", ""],
  resting: ["Outside its hours", ""],
  zone_missing: ["Its zone is gone", "warning"],
  not_known: ["No picture: not known", "warning"],
  clear: ["Watching", "good"],
  counting: ["Counting", "busy"],
  met: ["It is so", "alarm"],
};

/** The part of the rules' dialog on what goes on for too long: {element, ofStream, save}. */
export async function createTimedRules(stream, zones) {
  const path = "/v1/timed_rules";
  const { items } = await get(`${path}?stream_id=${encodeURIComponent(stream.stream_id)}`);
  const gone = [];
  const forms = items.map((rule) => timedForm(rule, zones, drop));
  const zone = zoneField(stream.time_zone);
  const list = h("div", { class: "rule-list" });
  const none = h(
    "div",
    { class: "empty slim" },
    h("p", {}, "A rule over time speaks up when something lasts: nobody in the kitchen for two hours of the day, for instance. A camera without a picture is never taken for an empty room."),
  );
  const add = h(
    "button",
    { class: "button", type: "button", onclick: () => grow() },
    icon("plus"),
    "Add a time rule",
  );
  render();
  const element = h(
    "section",
    { class: "fields", "aria-label": "When something lasts" },
    h("h3", {}, "When something lasts"),
    none,
    list,
    zone.element,
    h("div", {}, add),
  );
  return { element, ofStream: () => (forms.length ? { time_zone: zone.input.value.trim() } : {}), save };

  async function save() {
    while (gone.length) {
      await remove(`${path}/${gone[0]}`);
      gone.shift();
    }
    for (const form of forms) {
      const body = form.read();
      if (form.rule.rule_id) {
        delete body.kind;
        if (form.isChanged()) form.rule = await patch(`${path}/${form.rule.rule_id}`, body);
      } else form.rule = await post(path, { stream_id: stream.stream_id, ...body });
    }
  }

  function grow() {
    const fresh = { name: freeName(), kind: "not_got_up", after_s: 1800, zone: null, hours: [], severity: "alarm", enabled: true };
    forms.push(timedForm(fresh, zones, drop));
    render();
    forms.at(-1).element.querySelector("input").focus();
  }

  function drop(form) {
    forms.splice(forms.indexOf(form), 1);
    if (form.rule.rule_id) gone.push(form.rule.rule_id);
    render();
    add.focus();
  }

  function render() {
    none.hidden = forms.length > 0;
    zone.element.hidden = forms.length === 0;
    zone.input.disabled = forms.length === 0;
    fill(
      list,
      forms.map((form) => form.element),
    );
  }

  function freeName() {
    const taken = new Set(forms.map((form) => form.read().name));
    for (let number = forms.length + 1; ; number += 1) if (!taken.has(`Watch ${number}`)) return `Watch ${number}`;
  }
}

function timedForm(rule, zones, drop) {
  const name = h("input", { value: rule.name, required: true, maxlength: "64" });
  const kind = choice(KINDS, rule.kind, { disabled: Boolean(rule.rule_id), onchange: () => showZones() });
  const minutes = h("input", {
    type: "number",
    min: "0.1",
    max: "10080",
    step: "any",
    required: true,
    value: String(Math.round((rule.after_s / 60) * 100) / 100),
    inputmode: "decimal",
  });
  const zone = h("select", {});
  const severity = choice(SEVERITIES, rule.severity);
  const isOn = h("input", { type: "checkbox", checked: rule.enabled });
  const hours = createWeeklyHours(rule.hours, { label: "Hours", none: "always" });
  const form = { rule, read, isChanged, element: null };
  const discard = h(
    "button",
    { class: "button plain icon", type: "button", "aria-label": `Remove the rule ${rule.name}`, onclick: () => drop(form) },
    icon("trash"),
  );
  showZones(rule.zone);
  form.element = h(
    "fieldset",
    { class: "rule card" },
    h("legend", { class: "unseen" }, rule.name),
    h("div", { class: "rule-head" }, field("Name", name), discard),
    stateLine(rule),
    h("div", { class: "fields two" }, field("Speak up when", kind), field("For, minutes", minutes)),
    h("div", { class: "fields two" }, field("Zone", zone), field("Severity", severity)),
    hours.element,
    h("label", { class: "check" }, isOn, "Switched on"),
  );
  const first = JSON.stringify(read());
  return form;

  function showZones(chosen = zone.value || null) {
    const isNeeded = kind.value === "lies_outside";
    // A zone that is gone stays on offer, so that saving something else does not change what the rule watches.
    const names = chosen && !zones.includes(chosen) ? [...zones, chosen] : zones;
    const whole = ["", isNeeded ? "Choose where people may lie" : "The whole picture"];
    fill(
      zone,
      [whole, ...names.map((one) => [one, one])].map(([value, label]) =>
        h("option", { value, selected: value === (chosen ?? "") }, label),
      ),
    );
    zone.required = isNeeded;
  }

  function read() {
    return {
      name: name.value.trim(),
      kind: kind.value,
      after_s: Math.round(Number(minutes.value) * 60),
      zone: zone.value || null,
      hours: hours.read(),
      severity: severity.value,
      enabled: isOn.checked,
    };
  }

  function isChanged() {
    return JSON.stringify(read()) !== first;
  }
}

/** How a rule that is watched stands now; null for one that is new. */
function stateLine(rule) {
  if (!rule.state) return null;
  const [said, tone] = STATES[rule.state] ?? [rule.state, ""];
  const counted = rule.state === "counting" ? `: ${duration(rule.counted_s)} of ${duration(rule.after_s)}` : "";
  return h("p", {}, h("span", { class: "state", dataset: { tone } }, said + counted));
}

function choice(options, chosen, props = {}) {
  return h(
    "select",
    props,
    options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)),
  );
}
