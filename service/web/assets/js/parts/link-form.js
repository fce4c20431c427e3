// A video by its address instead of an upload.
import { post } from "../api.js";
import { fill, h } from "../dom.js";
import { field } from "../dialog.js";
import { problemBox } from "../notify.js";
import { needs } from "../roles.js";

/** A folded form; `onJob(job)` gets the accepted job. `options()`: further fields of the job. */
export function linkForm({ onJob, options = () => ({}) }) {
  const input = h("input", {
    type: "url",
    name: "uri",
    required: true,
    placeholder: "https://…/video.mp4",
    inputmode: "url",
    autocomplete: "off",
    spellcheck: "false",
  });
  const fault = h("div", {});
  const send = h("button", { class: "button", type: "submit" }, "Analyse");
  const form = h("form", { class: "link-form", onsubmit: submit }, field("Address of a video", input), send);
  return h("details", { class: "link", ...needs("operator") }, h("summary", {}, "Or give its address"), form, fault);

  async function submit(event) {
    event.preventDefault();
    send.disabled = true;
    fill(fault);
    try {
      onJob(await post("/v1/jobs", { source: { uri: input.value.trim() }, ...options() }));
      form.reset();
    } catch (error) {
      fill(fault, problemBox(error, { title: "This address was not taken" }));
    } finally {
      send.disabled = false;
    }
  }
}
