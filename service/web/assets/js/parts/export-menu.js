// A range of events as a file: asked for first, so that a refusal is told here and not saved as a file.
import { send } from "../api.js";
import { address, h } from "../dom.js";
import { notify } from "../notify.js";
import { downloadMenu } from "./downloads.js";

const FORMATS = [
  ["csv", "Table", "CSV, one line per event"],
  ["clips", "Clips", "Zip of the clips and the table"],
  ["evidence", "Evidence", "Zip of clips, pictures, skeletons and scores"],
];

/** `wanted()`: the range and the filter, as URLSearchParams. Returns {element, close}. */
export function exportMenu(wanted) {
  const menu = downloadMenu(FORMATS.map(([format, label, hint]) => ({ label, hint, path: `#${format}`, fileName: "" })));
  menu.element.addEventListener("click", (event) => {
    const format = event.target.closest("a")?.getAttribute("href").slice(1);
    if (!format) return;
    event.preventDefault();
    take(`/v1/events/export?${wanted()}&format=${format}`);
  });
  return menu;
}

async function take(path) {
  const first = new AbortController();
  try {
    await send("GET", path, { signal: first.signal, headers: { Accept: "*/*" } });
  } catch (error) {
    return void notify(error.message, { kind: "error" });
  }
  first.abort(); // The browser fetches it anew, straight to the disk.
  h("a", { href: address(path), download: "" }).click();
}
