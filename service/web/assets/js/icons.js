// A dozen line icons on a 20 px grid, drawn here so that nothing is fetched.

const PATHS = {
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6L16 16M4 16l1.4-1.4M14.6 5.4L16 4",
  moon: "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z",
  play: "M6 4l10 6l-10 6z",
  pause: "M6.5 4v12M13.5 4v12",
  close: "M5 5l10 10M15 5L5 15",
  back: "M12 4l-6 6l6 6",
  next: "M8 4l6 6l-6 6",
  down: "M10 3v10M5.5 9l4.5 4.5L14.5 9M4 17h12",
  up: "M10 14V4M5.5 8L10 3.5L14.5 8M4 17h12",
  trash: "M4 6h12M8 6V4h4v2M6 6l.7 10.5h6.6L14 6",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  camera: "M3 6h9v8H3zM12 9l5-2.5v7L12 11",
  check: "M4 10.5l4 4l8-9",
  fit: "M3 7V4h3M17 7V4h-3M3 13v3h3M17 13v3h-3",
  full: "M12 4h4v4M8 16H4v-4M16 4l-5 5M4 16l5-5",
  leave: "M12 4H4v12h8M9 10h8M14 7l3 3l-3 3",
  edit: "M4 16l1-4l8-8l3 3l-8 8z",
  bell: "M5 14h10c-1.2-1.4-1.5-3-1.5-5.2C13.500 6.400 12 5 10 5S6.500 6.400 6.500 8.800C6.500 11 6.200 12.600 5 14M8.500 16.500h3",
};

/** An icon that a screen reader skips; the button around it carries the name. */
export function icon(name, size = 20) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const attributes = { viewBox: "0 0 20 20", width: size, height: size, "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const stroke = { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": name === "more" ? 2.6 : 1.6 };
  for (const [key, value] of Object.entries({ ...stroke, "stroke-linecap": "round", "stroke-linejoin": "round" })) {
    path.setAttribute(key, value);
  }
  svg.append(path);
  return svg;
}
