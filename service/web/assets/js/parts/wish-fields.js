// When somebody wants to be told: cameras, urgency, quiet hours, and only when nobody else has dealt with it.
import { field } from "../dialog.js";
import { h } from "../dom.js";
import { count } from "../format.js";
import { createWeeklyHours, zoneField } from "./weekly-hours.js";

const SEVERITIES = [
  ["", "Whatever it is"],
  ["warning", "Warnings and alarms"],
  ["alarm", "Alarms alone"],
];

/** Fields for the wishes of a webhook or a destination: {elements, read}. */
export function createWishFields(wishes) {
  const streams = h("input", { value: wishes.streams?.join(", ") ?? "", placeholder: "all", autocomplete: "off" });
  const severity = h(
    "select",
    {},
    SEVERITIES.map(([value, label]) => h("option", { value, selected: (wishes.min_severity ?? "") === value }, label)),
  );
  const onlyRules = h("input", { type: "checkbox", checked: wishes.only_rules ?? false });
  const after = h("input", {
    type: "number",
    min: "0.1",
    max: "1440",
    step: "any",
    inputmode: "decimal",
    placeholder: "at once",
    value: wishes.escalate_after_s ? String(Math.round(wishes.escalate_after_s / 6) / 10) : "",
  });
  const quiet = createWeeklyHours(wishes.quiet_hours ?? [], { label: "Quiet hours", none: "none" });
  const forAlarms = h("input", { type: "checkbox", checked: wishes.quiet_for_alarms ?? false });
  const zone = zoneField(wishes.time_zone);
  const elements = [
    h(
      "div",
      { class: "fields two" },
      field("How urgent", severity),
      field("Cameras", streams, "Ids separated by commas; * stands for anything, as in dock-*."),
    ),
    h("label", { class: "check" }, onlyRules, "Actions only when they met a rule of their camera"),
    field("When nobody acknowledges within, minutes", after, "Left empty, it is told at once. With minutes it is the next in line: told only of events that nobody has acknowledged by then."),
    quiet.element,
    h("label", { class: "check" }, forAlarms, "Hold back alarms, too, in quiet hours"),
    zone.element,
  ];
  return { elements, read };

  function read() {
    const patterns = streams.value
      .split(",")
      .map((text) => text.trim())
      .filter(Boolean);
    return {
      streams: patterns.length ? patterns : null,
      min_severity: severity.value || null,
      only_rules: onlyRules.checked,
      escalate_after_s: after.value ? Math.round(Number(after.value) * 60) : null,
      quiet_hours: quiet.read(),
      quiet_for_alarms: forAlarms.checked,
      time_zone: zone.input.value.trim() || null,
    };
  }
}

/** Somebody's wishes in a line. */
export function describeWishes(item) {
  const minutes = item.escalate_after_s / 60;
  return [
    item.enabled ? null : "paused",
    { warning: "warnings and alarms", alarm: "alarms alone" }[item.min_severity] ?? null,
    item.only_rules ? "only what met a rule" : null,
    item.streams ? `cameras ${item.streams.join(", ")}` : "all cameras",
    item.escalate_after_s ? `when nobody acknowledges within ${count(Number(minutes.toFixed(1)), "minute")}` : null,
    item.quiet_hours?.length ? "quiet hours" : null,
    item.pending ? `${count(item.pending, "message")} waiting` : null,
  ];
}
