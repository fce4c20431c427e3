// The menu of a result's forms.
import { closers, h, nextId } from "../dom.js";
import { icon } from "../icons.js";

/** A button that opens a list of downloads: [{label, hint, path, fileName}]. Returns {element, close}. */
export function downloadMenu(items) {
  const end = closers();
  const list = h("ul", { id: nextId("menu"), hidden: true }, items.map((item) => h("li", {}, link(item))));
  const button = h("button", { class: "button", type: "button", "aria-expanded": "false", "aria-controls": list.id, onclick: () => set(list.hidden) }, icon("down"), "Download");
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

function link({ label, hint, path, fileName }) {
  return h("a", { href: path, download: fileName }, label, h("span", {}, hint));
}
