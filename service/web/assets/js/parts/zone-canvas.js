// The picture with polygons on it: shows zones, draws a new one, moves and removes corners.
import { fill, h } from "../dom.js";

const NS = "http://www.w3.org/2000/svg";
const STEP = 0.01;

/**
 * `picture`: where a snapshot comes from, or null. `onChange()` after a corner moved, `onDrawn(polygon)` after a new
 * zone was closed. Returns {element, show(zones, chosen), startDrawing}. Coordinates are 0..1 of the picture.
 */
export function createZoneCanvas({ picture, onChange, onDrawn }) {
  const svg = shape("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", class: "zone-svg" });
  const handles = h("div", { class: "zone-handles" });
  const image = picture ? h("img", { src: picture, alt: "", draggable: "false" }) : null;
  const element = h(
    "div",
    { class: "zone-canvas", role: "group", "aria-label": "Picture with zones" },
    image,
    svg,
    handles,
  );
  const self = { zones: [], chosen: null, drawn: null, pointer: null };
  image?.addEventListener("load", () =>
    element.style.setProperty("--aspect", String(image.naturalWidth / image.naturalHeight)),
  );
  image?.addEventListener("error", () => image.remove());
  const at = (event) => {
    const frame = element.getBoundingClientRect();
    return [unit((event.clientX - frame.left) / frame.width), unit((event.clientY - frame.top) / frame.height)];
  };
  element.addEventListener("pointermove", (event) => {
    if (!self.drawn) return;
    self.pointer = at(event);
    paint();
  });
  element.addEventListener("click", (event) => {
    if (!self.drawn || event.detail > 1) return; // the second click of a double click closes, it adds no corner
    self.drawn.push(at(event));
    paint();
  });
  element.addEventListener("dblclick", finish);
  document.addEventListener("keydown", onKey, true);

  function onKey(event) {
    if (!element.isConnected) return document.removeEventListener("keydown", onKey, true);
    if (!self.drawn || (event.key !== "Enter" && event.key !== "Escape")) return null;
    event.preventDefault(); // Escape ends the drawing, not the dialog.
    event.stopPropagation();
    return event.key === "Enter" ? finish() : stopDrawing();
  }

  function finish() {
    const polygon = self.drawn;
    stopDrawing();
    if (polygon?.length >= 3) onDrawn(polygon);
  }

  function stopDrawing() {
    Object.assign(self, { drawn: null, pointer: null });
    element.dataset.drawing = "false";
    paint();
  }

  function paint() {
    const shapes = self.zones.map((zone, index) =>
      shape("polygon", {
        points: text(zone.polygon),
        class: `zone ${zone.kind}${index === self.chosen ? " chosen" : ""}`,
      }),
    );
    if (self.drawn)
      shapes.push(
        shape("polyline", {
          points: text([...self.drawn, ...(self.pointer ? [self.pointer] : [])]),
          class: "zone drawing",
        }),
      );
    svg.replaceChildren(...shapes);
    const labels = self.zones.map((zone) => label(zone));
    const zone = self.drawn ? null : self.zones[self.chosen];
    // Corners are kept while only their places change, so that a focused or dragged one stays it.
    const corners = [...handles.querySelectorAll(".corner")];
    if (!zone || corners.length !== zone.polygon.length || handles.dataset.zone !== String(self.chosen)) {
      fill(
        handles,
        labels,
        zone?.polygon.map((_, index) => corner(index)),
      );
      handles.dataset.zone = String(self.chosen);
    } else {
      handles.querySelectorAll(".zone-name").forEach((old) => old.remove());
      handles.prepend(...labels);
    }
    zone?.polygon.forEach((point, index) => place(handles.querySelectorAll(".corner")[index], point));
  }

  function corner(index) {
    const button = h("button", { type: "button", class: "corner", "aria-label": `Corner ${index + 1}` });
    const move = (point) => {
      self.zones[self.chosen].polygon[index] = point.map(unit);
      paint();
    };
    button.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      button.focus();
      button.setPointerCapture(event.pointerId);
      button.onpointermove = (moved) => move(at(moved));
      button.onpointerup = () => (button.onpointermove = null);
    });
    button.addEventListener("keydown", (event) => {
      const [x, y] = self.zones[self.chosen].polygon[index];
      const step = event.shiftKey ? 5 * STEP : STEP;
      const moved = {
        ArrowLeft: [x - step, y],
        ArrowRight: [x + step, y],
        ArrowUp: [x, y - step],
        ArrowDown: [x, y + step],
      }[event.key];
      if (moved) move(moved);
      else if ((event.key === "Delete" || event.key === "Backspace") && self.zones[self.chosen].polygon.length > 3) {
        self.zones[self.chosen].polygon.splice(index, 1);
        onChange();
      } else return;
      event.preventDefault();
    });
    return button;
  }

  return {
    element,
    show(zones, chosen) {
      Object.assign(self, { zones, chosen });
      paint();
    },
    startDrawing() {
      self.drawn = [];
      element.dataset.drawing = "true";
      paint();
    },
  };
}

function label(zone) {
  const middle = [0, 1].map((axis) => zone.polygon.reduce((sum, point) => sum + point[axis], 0) / zone.polygon.length);
  const tag = h("span", { class: "zone-name" }, zone.name);
  place(tag, middle);
  return tag;
}

function place(element, [x, y]) {
  element.style.insetInlineStart = `${100 * x}%`;
  element.style.insetBlockStart = `${100 * y}%`;
}

function text(polygon) {
  return polygon.map((point) => point.join(",")).join(" ");
}

function unit(value) {
  return Math.round(Math.max(0, Math.min(1, value)) * 1e4) / 1e4;
}

function shape(name, attributes) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
