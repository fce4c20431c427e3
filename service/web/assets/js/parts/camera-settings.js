// What else can be set of a camera: its name, address, how it hangs, rates, recording and privacy.
import { field, formDialog } from "../dialog.js";
import { h } from "../dom.js";
import { changeStream } from "../streams.js";
import { actionOverrides } from "./action-overrides.js";
import { addressTest } from "./address-test.js";
import { networkFields } from "./network-fields.js";

/** Edit a stream's settings; resolves to the changed stream, or null when the person closed the dialog. */
export function editSettings(stream) {
  const isPush = stream.source.uri === "push:";
  const name = h("input", { value: stream.name, required: true, maxlength: "64", autocomplete: "off" });
  const uri = h("input", {
    placeholder: stream.source.uri,
    autocomplete: "off",
    spellcheck: "false",
    inputmode: "url",
  });
  const transport = choice(stream.source.transport, [
    ["tcp", "TCP"],
    ["udp", "UDP"],
  ]);
  const rotate = choice(String(stream.rotate ?? 0), [
    ["0", "Not at all"],
    ["90", "90° clockwise"],
    ["180", "180°"],
    ["270", "90° anticlockwise"],
  ]);
  const mirror = box(stream.mirror ?? false);
  const fps = number(stream.analysis.fps, 1, 60);
  const persons = number(stream.analysis.max_persons ?? 10, 1, 100);
  const recording = stream.recording ?? {};
  const records = box(recording.enabled ?? true);
  const before = number(recording.pre_roll_s ?? 5, 0, 30);
  const after = number(recording.post_roll_s ?? 3, 0, 30);
  const pictures = box(stream.privacy?.pictures ?? true);
  const blur = box(stream.privacy?.blur ?? false);
  const networks = networkFields(stream.analysis, () => actions.setModel(networks.value().model));
  const actions = actionOverrides(stream.actions, stream.analysis.model ?? null);
  const tested = addressTest(() => ({
    source: { uri: uri.value.trim(), transport: transport.value },
    rotate: Number(rotate.value),
    mirror: mirror.checked,
  }));
  uri.addEventListener("input", tested.clear);
  const address = [
    field("New address", uri, "Left empty, it stays. The one in use is shown without its password."),
    field("RTSP transport", transport, "Changes together with the address."),
    tested.element,
  ];
  return formDialog({
    title: `Settings of ${stream.name}`,
    yes: "Save",
    fields: [
      field("Name", name),
      isPush ? null : address,
      field("Turn the picture", rotate, "So that people stand upright. Zones are drawn in the picture as it is then."),
      check(mirror, "Swap left and right"),
      h("div", { class: "fields two" }, field("Pictures a second", fps), field("People followed at once", persons)),
      h("details", { class: "overrides" }, h("summary", {}, "Networks"), networks.element),
      actions.element,
      check(records, "Keep a clip of severe events"),
      h("div", { class: "fields two" }, field("Seconds before", before), field("Seconds after", after)),
      check(pictures, "Pictures may be shown and kept; without, there are skeletons alone"),
      check(blur, "Make faces unrecognisable in every picture and clip of it"),
    ],
    submit: () =>
      changeStream(stream.stream_id, {
        name: name.value.trim(),
        ...(uri.value.trim() ? { source: { uri: uri.value.trim(), transport: transport.value } } : {}),
        rotate: Number(rotate.value),
        mirror: mirror.checked,
        analysis: analysisOf(stream, networks.value(), fps, persons),
        ...(actions.value() ? { actions: actions.value() } : {}),
        recording: {
          ...recording,
          enabled: records.checked,
          pre_roll_s: Number(before.value),
          post_roll_s: Number(after.value),
        },
        privacy: { ...stream.privacy, pictures: pictures.checked, blur: blur.checked },
      }),
  });
}

function analysisOf(stream, networks, fps, persons) {
  const changed = { fps: Number(fps.value), max_persons: Number(persons.value) };
  for (const [name, value] of Object.entries(networks))
    if (value !== (stream.analysis[name] ?? null)) changed[name] = value;
  // The window is the model's own: another model has another one.
  if ("model" in changed) changed.window_s = null;
  return { ...stream.analysis, ...changed };
}

function number(value, min, max) {
  return h("input", {
    type: "number",
    value: String(value),
    min: String(min),
    max: String(max),
    step: "any",
    required: true,
  });
}

function box(isOn) {
  return h("input", { type: "checkbox", checked: isOn });
}

function check(input, label) {
  return h("label", { class: "check" }, input, label);
}

function choice(chosen, options) {
  return h(
    "select",
    {},
    options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)),
  );
}
