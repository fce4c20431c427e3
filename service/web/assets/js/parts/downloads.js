// The forms in which a result can be taken away.
import { closers, h, nextId } from "../dom.js";
import { icon } from "../icons.js";

/** A button that opens a list of downloads: [{label, hint, path, fileName}]. Returns {element, close}. */
export function downloadMenu(items) {
  const end = closers();
  const list = h(
    "ul",
    { id: nextId("menu"), hidden: true },
    items.map((item) => h("li", {}, link(item))),
  );
  const button = h(
    "button",
    {
      class: "button",
      type: "button",
      "aria-expanded": "false",
      "aria-controls": list.id,
      onclick: () => set(list.hidden),
    },
    icon("down"),
    "Download",
  );
  const element = h("div", { class: "menu" }, button, list);
  const set = (isOpen) => {
    list.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
  };
  end.listen(document, "pointerdown", (event) => !element.contains(event.target) && set(false));
  end.listen(element, "keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    set(false);
    button.focus();
  });
  return { element, close: end.close };
}

/** What can be downloaded of a finished job. */
export function downloadsOf(job) {
  const stem = job.name.replace(/\.[^.]+$/, "");
  const item = (format, label, hint) => ({
    label,
    hint,
    path: `/v1/jobs/${job.id}/results?format=${format}`,
    fileName: `${stem}.${format}`,
  });
  const video = { label: "Annotated video", hint: "MP4 with the drawing burnt in", path: job.links.video };
  return [
    item("jsonl", "JSON lines", "Every frame: boxes, joints, actions"),
    item("json", "JSON", "Tracks and their actions"),
    item("csv", "CSV", "One line per action, for a spreadsheet"),
    ...(job.links.video ? [{ ...video, fileName: `${stem}-actogram.mp4` }] : []),
  ];
}

function link({ label, hint, path, fileName }) {
  return h("a", { href: path, download: fileName }, label, h("span", {}, hint));
}
