// Views under a name: what a page asks for, kept by the service for this key, shared on request.
import { get, patch, post, remove } from "../api.js";
import { confirmDialog, field, openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { notify, problemBox } from "../notify.js";
import { may } from "../roles.js";

/** A button that opens the views of a page; `state()` gives what would be saved: {name: text}. */
export function savedViewsButton(page, state) {
  return h("button", { class: "button", type: "button", onclick: () => openViews(page, state) }, "Views");
}

function openViews(page, state) {
  const self = { page, state, list: h("ul", { class: "views", "aria-label": "Saved views" }), fault: h("div", {}) };
  self.none = h("p", { class: "quiet", hidden: true }, "No view is saved yet.");
  const dialog = openDialog({ title: "Saved views", body: [self.fault, self.none, self.list, saveForm(self)] });
  self.close = dialog.close;
  load(self);
}

async function load(self) {
  try {
    const { items } = await get("/v1/views");
    const shown = items.filter((view) => view.page === self.page);
    fill(self.fault);
    self.none.hidden = shown.length > 0;
    fill(self.list, shown.map((view) => row(self, view)));
  } catch (error) {
    fill(self.fault, problemBox(error, { title: "The views cannot be listed", retry: () => load(self) }));
  }
}

function row(self, view) {
  const mayChange = view.is_mine || may("admin");
  const href = `#/${view.page}?${new URLSearchParams(view.query)}`;
  const share = () => attempt(self, () => patch(`/v1/views/${view.view_id}`, { shared: !view.shared }));
  const button = (label, run) =>
    h("button", { class: "button small", type: "button", "aria-label": `${label}: ${view.name}`, onclick: run }, label);
  return h(
    "li",
    {},
    h("a", { href, onclick: () => self.close() }, view.name),
    view.shared ? h("span", { class: "tag" }, view.is_mine ? "shared" : "of another key") : null,
    mayChange ? button(view.shared ? "Keep to myself" : "Share", share) : null,
    mayChange ? button("Delete", () => discard(self, view)) : null,
  );
}

async function discard(self, view) {
  const others = view.shared ? " Others can use it no longer, either." : "";
  const sure = await confirmDialog({ title: "Delete this view?", text: `“${view.name}” will be gone.${others}`, yes: "Delete" });
  if (sure) attempt(self, () => remove(`/v1/views/${view.view_id}`));
}

async function attempt(self, work) {
  try {
    await work();
  } catch (error) {
    notify(error.message, { kind: "error" });
  }
  load(self);
}

function saveForm(self) {
  const name = h("input", { name: "name", required: true, maxlength: "80", autocomplete: "off" });
  const shared = h("input", { type: "checkbox" });
  const save = async (event) => {
    event.preventDefault();
    try {
      await post("/v1/views", { name: name.value, page: self.page, query: self.state(), shared: shared.checked });
      name.value = "";
      shared.checked = false;
      load(self);
    } catch (error) {
      fill(self.fault, problemBox(error));
    }
  };
  return h(
    "form",
    { class: "fields", onsubmit: save },
    field("Save what is shown now as", name),
    h("label", { class: "check" }, shared, "Let other keys see it"),
    h("div", {}, h("button", { class: "button primary", type: "submit" }, "Save")),
  );
}
