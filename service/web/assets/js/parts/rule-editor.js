// Rules of a camera: which events are worth telling somebody, and what may not go on for too long.
import { field, formDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { words } from "../format.js";
import { icon } from "../icons.js";
import { changeStream } from "../streams.js";
import { swatch } from "./legend.js";
import { createTimedRules } from "./timed-rules.js";

const SEVERITIES = [
  ["", "As the action has it"],
  ["info", "Info"],
  ["warning", "Warning"],
  ["alarm", "Alarm"],
];

/** Edit the rules of a stream; resolves to the changed stream, or null when the person closed the dialog. */
export async function editRules(stream, catalog) {
  const zones = stream.zones.filter((zone) => zone.kind === "include").map((zone) => zone.name);
  const list = h("div", { class: "rule-list" });
  const none = h(
    "div",
    { class: "empty slim" },
    h(
      "p",
      {},
      "Every event is kept, with or without rules. A rule says which ones webhooks and alarms are told of: a fall of more than a second in the yard, for instance.",
    ),
  );
  const forms = stream.rules.map((rule) => ruleForm(rule, catalog, zones, drop));
  const add = h("button", { class: "button", type: "button", onclick: () => grow() }, icon("plus"), "Add a rule");
  const timed = await createTimedRules(stream, zones);
  render();
  return formDialog({
    title: `Rules of ${stream.name}`,
    yes: "Save",
    size: "wide",
    fields: [h("h3", {}, "When something happens"), none, list, h("div", {}, add), timed.element],
    submit: async () => {
      const changed = await changeStream(stream.stream_id, {
        rules: forms.map((form) => form.read()),
        ...timed.ofStream(),
      });
      await timed.save();
      return changed;
    },
  });

  function grow() {
    forms.push(
      ruleForm(
        {
          name: freeName(forms),
          actions: null,
          zones: null,
          min_duration_s: 0,
          min_score: 0,
          cooldown_s: 0,
          severity: null,
        },
        catalog,
        zones,
        drop,
      ),
    );
    render();
    forms.at(-1).element.querySelector("input").focus();
  }

  function drop(form) {
    forms.splice(forms.indexOf(form), 1);
    render();
    add.focus();
  }

  function render() {
    none.hidden = forms.length > 0;
    fill(
      list,
      forms.map((form) => form.element),
    );
  }
}

function ruleForm(rule, catalog, zones, drop) {
  const name = h("input", { value: rule.name, required: true, maxlength: "64" });
  const actions = choices(
    "Actions",
    [...catalog.actions.keys()],
    rule.actions,
    (action) => [swatch(action, catalog.actions.get(action)?.quality), words(action)],
    "any action",
  );
  const where = zones.length ? choices("Zones", zones, rule.zones, (zone) => zone, "anywhere") : null;
  const number = (value, max, step) =>
    h("input", {
      type: "number",
      min: "0",
      max: String(max),
      step: String(step),
      value: String(value),
      inputmode: "decimal",
    });
  const [lasts, score, silence] = [
    number(rule.min_duration_s, 3600, 0.1),
    number(Math.round(rule.min_score * 100), 100, 1),
    number(rule.cooldown_s, 86400, 1),
  ];
  const severity = h(
    "select",
    {},
    SEVERITIES.map(([value, label]) => h("option", { value, selected: (rule.severity ?? "") === value }, label)),
  );
  const form = { read, element: null };
  const discard = h(
    "button",
    {
      class: "button plain icon",
      type: "button",
      "aria-label": `Remove the rule ${rule.name}`,
      onclick: () => drop(form),
    },
    icon("trash"),
  );
  form.element = h(
    "fieldset",
    { class: "rule card" },
    h("legend", { class: "unseen" }, rule.name),
    h("div", { class: "rule-head" }, field("Name", name), discard),
    actions.element,
    where?.element,
    h(
      "div",
      { class: "fields two" },
      field("Lasts at least, s", lasts),
      field("Score from, %", score),
      field("Silent afterwards, s", silence),
      field("Severity", severity),
    ),
  );
  return form;

  function read() {
    return {
      name: name.value.trim(),
      actions: actions.read(),
      zones: where?.read() ?? null,
      min_duration_s: Number(lasts.value),
      min_score: Number(score.value) / 100,
      cooldown_s: Number(silence.value),
      severity: severity.value || null,
    };
  }
}

function choices(label, options, chosen, show, none) {
  const picked = new Set(chosen ?? []);
  const said = h("span", { class: "faint" });
  const describe = () => fill(said, picked.size ? "" : none);
  const buttons = options.map((option) => {
    const button = h(
      "button",
      {
        type: "button",
        class: "chip pick",
        "aria-pressed": String(picked.has(option)),
        onclick: () => {
          if (!picked.delete(option)) picked.add(option);
          button.setAttribute("aria-pressed", String(picked.has(option)));
          describe();
        },
      },
      show(option),
    );
    return button;
  });
  describe();
  const element = h(
    "div",
    { class: "field", role: "group", "aria-label": label },
    h("span", { class: "label" }, label, " ", said),
    h("div", { class: "chips" }, buttons),
  );
  return { element, read: () => (picked.size ? [...picked] : null) };
}

function freeName(forms) {
  const taken = new Set(forms.map((form) => form.read().name));
  for (let number = forms.length + 1; ; number += 1) if (!taken.has(`Rule ${number}`)) return `Rule ${number}`;
}
