// Modal dialogs on the browser's own element: focus, Escape and the backdrop come with it.
import { fill, h, nextId } from "./dom.js";
import { icon } from "./icons.js";
import { problemBox } from "./notify.js";

const ofPage = new Set();

/** Close what the page that is left had opened: each counts as closed by the person. */
export function closeDialogs() {
  for (const close of ofPage) close();
}

/**
 * Open a dialog; `body` and `foot` are lists of nodes. `isOfPage`: it closes when the page is left. Returns
 * {element, close}. `onClose` runs once.
 */
export function openDialog({ title, body, foot = [], size = "normal", isOfPage = true, onClose = () => {} }) {
  const heading = nextId("dialog");
  const close = () => element.close();
  const element = h(
    "dialog",
    { "aria-labelledby": heading, dataset: { size } },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id: heading }, title),
      h("button", { class: "button plain icon", type: "button", "aria-label": "Close", onclick: close }, icon("close")),
    ),
    h("div", { class: "dialog-body" }, body),
    foot.length ? h("div", { class: "dialog-foot" }, foot) : null,
  );
  if (isOfPage) ofPage.add(close);
  element.addEventListener("close", () => {
    ofPage.delete(close);
    element.remove();
    onClose();
  });
  document.body.append(element);
  element.showModal();
  return { element, close };
}

/** Ask before something that cannot be undone; resolves to true or false. */
export function confirmDialog({ title, text, yes, danger = true }) {
  return new Promise((resolve) => {
    let answer = false;
    const agree = h("button", { class: danger ? "button danger" : "button primary", type: "button" }, yes);
    const refuse = h("button", { class: "button", type: "button" }, "Keep");
    const dialog = openDialog({
      title,
      body: [h("p", {}, text)],
      foot: [refuse, agree],
      onClose: () => resolve(answer),
    });
    agree.addEventListener("click", () => {
      answer = true;
      dialog.close();
    });
    refuse.addEventListener("click", dialog.close);
    refuse.focus();
  });
}

/**
 * A dialog around a form: `submit(event)` may throw an ApiError, which shows in place; when it returns, the dialog
 * closes. Resolves to what `submit` returned, or null when the person closed it.
 */
export function formDialog({ title, fields, yes, submit, size = "normal", isOfPage = true }) {
  return new Promise((resolve) => {
    let answer = null;
    const form = nextId("form");
    const fault = h("div", {});
    const send = h("button", { class: "button primary", type: "submit", form }, yes);
    const body = h("form", { id: form, class: "fields", onsubmit: run }, fault, fields);
    const dialog = openDialog({ title, size, isOfPage, body: [body], foot: [send], onClose: () => resolve(answer) });
    async function run(event) {
      event.preventDefault();
      send.disabled = true;
      try {
        const given = (await submit(new FormData(body))) ?? true;
        if (!dialog.element.open) return;
        answer = given;
        dialog.close();
      } catch (error) {
        fill(fault, problemBox(error));
      } finally {
        send.disabled = false;
      }
    }
  });
}

/** A labelled input, select or textarea with an optional hint. */
export function field(label, control, hint = null) {
  control.id ||= nextId("field");
  const note = hint ? h("span", { class: "hint", id: `${control.id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, note);
}
