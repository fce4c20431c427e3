// The list of webhooks: add, change, pause, test, see what became of deliveries.
import { call, page, patch, post, remove } from "../api.js";
import { confirmDialog, field, formDialog, openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { notify, problemBox } from "../notify.js";
import { lacking, needs } from "../roles.js";
import { showDeliveries } from "./deliveries.js";
import { createWishFields, describeWishes } from "./wish-fields.js";

const MESSAGES = [
  ["action.started", "An action began"],
  ["action.ended", "An action ended"],
  ["action.retracted", "A first guess was taken back"],
  ["stream.state_changed", "A camera’s state changed"],
  ["clip.ready", "A clip is ready"],
];

/** Returns {element, load}. */
export function createWebhooks() {
  const list = h("ul", { class: "hooks", "aria-label": "Webhooks" });
  const fault = h("div", {});
  const none = h(
    "div",
    { class: "empty", hidden: true },
    h("h3", {}, "No webhook yet"),
    h(
      "p",
      {},
      "A webhook is an address that is told of events as they happen, signed so that it can trust them, and tried again when it does not answer.",
    ),
  );
  const add = h(
    "button",
    { class: "button", type: "button", ...needs("admin"), onclick: () => edit(null) },
    icon("plus"),
    "Add a webhook",
  );
  const element = h("div", {}, h("div", { class: "section-head" }, h("h2", {}, "Webhooks"), add), lacking("admin", "Changing webhooks takes the role admin."), fault, list, none);
  return { element, load };

  async function load() {
    try {
      const { items } = await page("/v1/webhooks");
      fill(fault);
      none.hidden = items.length > 0;
      fill(list, items.map(row));
    } catch (error) {
      fill(fault, problemBox(error, { title: "The webhooks cannot be listed", retry: load }));
    }
  }

  function row(hook) {
    const button = (label, run, marks = needs("admin")) =>
      h(
        "button",
        { class: "button small", type: "button", ...marks, onclick: run, "aria-label": `${label}: ${hook.url}` },
        label,
      );
    return h(
      "li",
      { class: "hook" },
      h("div", {}, h("strong", { class: "hook-url" }, hook.url), h("p", { class: "faint" }, describe(hook))),
      h(
        "div",
        { class: "button-row" },
        button("Test", () => test(hook)),
        button("Deliveries", () => showDeliveries(hook.url, `/v1/webhooks/${hook.webhook_id}`), {}),
        button("Change", () => edit(hook)),
        button(hook.enabled ? "Pause" : "Resume", () =>
          attempt(() => patch(`/v1/webhooks/${hook.webhook_id}`, { enabled: !hook.enabled })),
        ),
        button("Remove", () => discard(hook)),
      ),
    );
  }

  async function edit(hook) {
    const saved = await webhookForm(hook);
    if (!saved) return;
    if (saved.secret) showSecret(saved.secret);
    load();
  }

  async function test(hook) {
    try {
      const result = await call("POST", `/v1/webhooks/${hook.webhook_id}/test`);
      if (result.delivered) notify(`${hook.url} answered ${result.status} after ${Math.round(result.latency_ms)} ms.`);
      else notify(`${hook.url}: ${result.detail}`, { kind: "error" });
    } catch (error) {
      notify(error.message, { kind: "error" });
    }
  }

  async function discard(hook) {
    const sure = await confirmDialog({
      title: "Remove this webhook?",
      text: `${hook.url} will no longer be told of anything.`,
      yes: "Remove",
    });
    if (sure) attempt(() => remove(`/v1/webhooks/${hook.webhook_id}`));
  }

  async function attempt(work) {
    try {
      await work();
    } catch (error) {
      notify(error.message, { kind: "error" });
    }
    load();
  }
}

function describe(hook) {
  const [paused, ...rest] = describeWishes(hook);
  return [paused, hook.messages.join(", "), ...rest].filter(Boolean).join(" · ");
}

function webhookForm(hook) {
  const url = h("input", {
    type: "url",
    required: !hook,
    maxlength: "2048",
    placeholder: hook?.url ?? "https://example.org/hook",
    autocomplete: "off",
    spellcheck: "false",
  });
  const wishes = createWishFields(hook ?? {});
  const chosen = new Set(hook?.messages ?? ["action.started", "action.ended"]);
  const messages = MESSAGES.map(([type, label]) =>
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        checked: chosen.has(type),
        onchange: (event) => (event.target.checked ? chosen.add(type) : chosen.delete(type)),
      }),
      label,
    ),
  );
  const fields = [
    field("Address", url, hook ? "Left empty, it stays as it is." : null),
    h("fieldset", {}, h("legend", { class: "label" }, "Tell it when"), messages),
    wishes.elements,
  ];
  const body = () => ({
    ...(url.value ? { url: url.value.trim() } : {}),
    messages: [...chosen],
    ...wishes.read(),
  });
  return formDialog({
    title: hook ? "Change the webhook" : "Add a webhook",
    yes: hook ? "Save" : "Add",
    size: "wide",
    fields,
    submit: () => (hook ? patch(`/v1/webhooks/${hook.webhook_id}`, body()) : post("/v1/webhooks", body())),
  });
}

function showSecret(secret) {
  const copy = h(
    "button",
    {
      class: "button primary",
      type: "button",
      onclick: async () => {
        await navigator.clipboard?.writeText(secret);
        fill(copy, icon("check"), "Copied");
      },
    },
    "Copy",
  );
  openDialog({
    title: "The signing secret",
    body: [
      h("p", {}, "The receiver checks signatures with it. It is shown only now."),
      h("p", {}, h("code", { class: "secret" }, secret)),
    ],
    foot: [copy],
  });
}
