// A small picture of a video or an event, or its empty place.
import { h } from "../dom.js";

/**
 * `path`: where the picture is, or null for none. What it shows is said in words beside it. `before`: the element that stands
 * there now, which stays as it is where it shows the same.
 */
export function thumbnail(path, before = null) {
  if (path && before?.dataset.path === path && before.firstElementChild) return before;
  const frame = h("span", { class: "thumb", "aria-hidden": "true", dataset: { path: path ?? "" } });
  if (!path) return frame;
  const picture = h("img", { src: path, alt: "", loading: "lazy", decoding: "async", draggable: "false" });
  picture.addEventListener("error", () => picture.remove());
  frame.append(picture);
  return frame;
}
