// Zones drawn on the camera's picture: with the mouse, with a finger, or with the keyboard.
import { changeStream } from "../streams.js";
import { formDialog } from "../dialog.js";
import { announce, fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { createZoneCanvas } from "./zone-canvas.js";

/** Edit the zones of a stream; resolves to the changed stream, or null when the person closed the dialog. */
export async function editZones(stream) {
  const self = {
    zones: stream.zones.map((zone) => ({ ...zone, polygon: zone.polygon.map((point) => [...point]) })),
    chosen: stream.zones.length ? 0 : null,
  };
  const picture =
    stream.privacy?.pictures === false ? null : `/v1/streams/${encodeURIComponent(stream.stream_id)}/snapshot`;
  const list = h("ul", { class: "zone-list", "aria-label": "Zones" });
  const canvas = createZoneCanvas({
    picture,
    onChange: () => render(),
    onDrawn: (polygon) => addZone(polygon),
  });
  const draw = h(
    "button",
    { class: "button", type: "button", onclick: () => canvas.startDrawing() },
    icon("edit"),
    "Draw a zone",
  );
  const square = h(
    "button",
    {
      class: "button",
      type: "button",
      onclick: () =>
        addZone([
          [0.3, 0.4],
          [0.7, 0.4],
          [0.7, 0.9],
          [0.3, 0.9],
        ]),
    },
    icon("plus"),
    "Add a rectangle",
  );
  const help = h(
    "p",
    { class: "faint" },
    "Click corner after corner and close with a double click or Enter. Drag a corner to move it; with the keyboard, focus it and use the arrow keys, Delete removes it. A person is where the feet are.",
  );
  render();
  return formDialog({
    title: `Zones of ${stream.name}`,
    yes: "Save",
    size: "wide",
    fields: [canvas.element, h("div", { class: "button-row" }, draw, square), help, list],
    submit: () => changeStream(stream.stream_id, { zones: self.zones }),
  });

  function addZone(polygon) {
    self.zones.push({ name: freeName(self.zones), kind: "include", polygon });
    self.chosen = self.zones.length - 1;
    render();
    announce(`${self.zones.at(-1).name} added`);
  }

  function render() {
    canvas.show(self.zones, self.chosen);
    fill(
      list,
      self.zones.map((zone, index) => row(zone, index)),
    );
  }

  function row(zone, index) {
    const name = h("input", {
      value: zone.name,
      required: true,
      maxlength: "64",
      "aria-label": "Name of the zone",
      oninput: () => rename(index, name.value),
      onfocus: () => choose(index),
    });
    const kind = h(
      "select",
      {
        "aria-label": `Kind of ${zone.name}`,
        onchange: () => ((zone.kind = kind.value), canvas.show(self.zones, self.chosen)),
        onfocus: () => choose(index),
      },
      h("option", { value: "include", selected: zone.kind === "include" }, "Watch by name"),
      h("option", { value: "exclude", selected: zone.kind === "exclude" }, "Ignore people here"),
    );
    const discard = h(
      "button",
      { class: "button plain icon", type: "button", "aria-label": `Remove ${zone.name}`, onclick: () => drop(index) },
      icon("trash"),
    );
    return h("li", { dataset: { chosen: self.chosen === index } }, name, kind, discard);
  }

  function rename(index, name) {
    self.zones[index].name = name;
    canvas.show(self.zones, self.chosen);
  }

  function choose(index) {
    self.chosen = index;
    canvas.show(self.zones, index);
    [...list.children].forEach((item, at) => (item.dataset.chosen = at === index));
  }

  function drop(index) {
    self.zones.splice(index, 1);
    self.chosen = self.zones.length ? Math.min(index, self.zones.length - 1) : null;
    render();
  }
}

function freeName(zones) {
  for (let number = zones.length + 1; ; number += 1) {
    if (!zones.some((zone) => zone.name === `Zone ${number}`)) return `Zone ${number}`;
  }
}
