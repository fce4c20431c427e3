// Which networks look at a camera or a video: detector, pose estimator and action model, with what each costs.
import { get } from "../api.js";
import { fill, h } from "../dom.js";
import { field } from "../dialog.js";

const TASKS = [
  ["detector", "Finds people", "detect"],
  ["pose", "Finds joints", "pose"],
  ["model", "Names actions", "action"],
];
const PER = { picture: "a picture", person: "a person", window: "a judgement" };

/**
 * Fields to choose networks. `chosen`: {detector, pose, model}, null for the server's own choice; `changed` runs after
 * each change. Returns {element, value()}; value() has the same shape. The lists come when the server has answered; until
 * then, and where it does not, what was chosen stays.
 */
export function networkFields(chosen = {}, changed = () => {}) {
  const self = { chosen: {}, selects: {}, notes: {}, models: [], changed };
  const profile = h("select", { onchange: () => takeProfile(self, profile) });
  const fields = TASKS.map(([name, label]) => {
    self.chosen[name] = chosen[name] ?? null;
    self.selects[name] = h("select", { onchange: () => take(self, name) });
    self.notes[name] = h("p", { class: "hint network-note" });
    return h("div", {}, field(label, self.selects[name]), self.notes[name]);
  });
  self.profile = profile;
  const element = h("div", { class: "fields" }, field("Profile", profile, "A choice of both that suits a machine."), fields);
  show(self);
  load(self);
  return { element, value: () => ({ ...self.chosen }) };
}

async function load(self) {
  try {
    const answer = await get("/v1/models");
    self.models = answer.items ?? [];
    self.profiles = answer.profiles ?? [];
    show(self);
  } catch {
    // The lists stay as short as they are; what was chosen is not lost.
  }
}

function show(self) {
  for (const [name, , task] of TASKS) {
    const fitting = self.models.filter((model) => fits(model, task));
    const names = new Set(fitting.map((model) => model.model_id));
    const active = fitting.find((model) => model.is_active);
    const own = self.chosen[name];
    const unlisted = own && !names.has(own) ? [h("option", { value: own }, own)] : [];
    fill(
      self.selects[name],
      h("option", { value: "" }, active ? `Server’s choice: ${active.model_id}` : "Server’s choice"),
      unlisted,
      fitting.map((model) => h("option", { value: model.model_id }, optionText(model))),
    );
    self.selects[name].value = own ?? "";
    fill(self.notes[name], noteOf(own ? fitting.find((model) => model.model_id === own) : active));
  }
  showProfiles(self);
}

function showProfiles(self) {
  const profiles = self.profiles ?? [];
  const own = profiles.find((one) => one.is_active)?.profile;
  fill(
    self.profile,
    h("option", { value: "" }, own ? `Server’s: ${own}` : "Server’s"),
    profiles.filter((one) => one.profile !== own).map((one) => h("option", { value: one.profile }, one.profile)),
    h("option", { value: "-", hidden: true }, "Chosen below"),
  );
  const { detector, pose } = self.chosen;
  const like = profiles.find((one) => one.detector === detector && one.pose === pose && one.profile !== own);
  self.profile.value = detector || pose ? (like?.profile ?? "-") : "";
}

function takeProfile(self, select) {
  const found = self.profiles.find((one) => one.profile === select.value);
  self.chosen.detector = found?.detector ?? null;
  self.chosen.pose = found?.pose ?? null;
  show(self);
  self.changed();
}

function take(self, name) {
  self.chosen[name] = self.selects[name].value || null;
  const both = self.models.find((model) => model.model_id === self.chosen[name] && model.task === "detect_pose");
  // One that finds people and joints in one pass takes both places.
  if (both) self.chosen[name === "detector" ? "pose" : "detector"] = null;
  show(self);
  self.changed();
}

function fits(model, task) {
  return model.task === task || (model.task === "detect_pose" && task !== "action");
}

function optionText(model) {
  const speed = model.speed ? `, ${model.speed.ms.toFixed(model.speed.ms < 10 ? 1 : 0)} ms` : "";
  return `${model.model_id}${model.task === "detect_pose" ? " (people and joints)" : ""}${speed}`;
}

function noteOf(model) {
  if (!model) return null;
  const speed = model.speed
    ? `${model.speed.ms.toFixed(1)} ms ${PER[model.speed.per] ?? ""} on ${model.speed.device}, measured here. `
    : "Not measured here yet. ";
  const terms = model.terms ? h("strong", {}, ` ${model.terms}`) : null;
  return [speed, model.licence ? `Licence: ${model.licence}.` : "Licence: your own.", terms];
}
