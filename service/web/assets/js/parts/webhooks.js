// The list of webhooks: add, change, pause, test, see what became of deliveries.
import { call, get, page, patch, post, remove } from "../api.js";
import { confirmDialog, field, formDialog, openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { count, moment } from "../format.js";
import { icon } from "../icons.js";
import { notify, problemBox } from "../notify.js";
import { lacking, needs } from "../roles.js";

const MESSAGES = [
  ["action.started", "An action began"],
  ["action.ended", "An action ended"],
  ["action.retracted", "A first guess was taken back"],
  ["stream.state_changed", "A camera’s state changed"],
  ["clip.ready", "A clip is ready"],
];
const OUTCOMES = { delivered: "good", retrying: "warning", dead: "alarm", test: "" };

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
        button("Deliveries", () => showDeliveries(hook), {}),
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
  return [
    hook.enabled ? null : "paused",
    hook.messages.join(", "),
    hook.only_rules ? "only what met a rule" : null,
    hook.streams ? `cameras ${hook.streams.join(", ")}` : "all cameras",
    hook.pending ? `${count(hook.pending, "message")} waiting` : null,
  ]
    .filter(Boolean)
    .join(" · ");
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
  const streams = h("input", { value: hook?.streams?.join(", ") ?? "", placeholder: "all", autocomplete: "off" });
  const onlyRules = h("input", { type: "checkbox", checked: hook?.only_rules ?? false });
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
    h("label", { class: "check" }, onlyRules, "Actions only when they met a rule of their camera"),
    field("Cameras", streams, "Ids separated by commas; * stands for anything, as in dock-*."),
  ];
  const body = () => {
    const patterns = streams.value
      .split(",")
      .map((text) => text.trim())
      .filter(Boolean);
    return {
      ...(url.value ? { url: url.value.trim() } : {}),
      messages: [...chosen],
      only_rules: onlyRules.checked,
      streams: patterns.length ? patterns : null,
    };
  };
  return formDialog({
    title: hook ? "Change the webhook" : "Add a webhook",
    yes: hook ? "Save" : "Add",
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

async function showDeliveries(hook) {
  const list = h("div", { class: "table-scroll" }, h("p", { class: "quiet" }, "Loading…"));
  openDialog({ title: `Deliveries to ${hook.url}`, size: "wide", body: [list] });
  try {
    const { items } = await get(`/v1/webhooks/${hook.webhook_id}/deliveries?limit=100`);
    if (!items.length) return fill(list, h("p", { class: "quiet" }, "Nothing was sent yet."));
    const row = (one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, moment(one.time)),
        h("td", {}, h("span", { class: "state", dataset: { tone: OUTCOMES[one.outcome] ?? "" } }, one.outcome)),
        h("td", {}, one.type),
        h("td", {}, one.status ?? "–"),
        h("td", {}, Number.isFinite(one.latency_ms) ? `${Math.round(one.latency_ms)} ms` : "–"),
        h("td", { class: "wrap" }, one.detail),
      );
    return fill(
      list,
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["When", "Outcome", "Message", "Answer", "After", "Detail"].map((name) => h("th", { scope: "col" }, name)),
          ),
        ),
        h("tbody", {}, items.map(row)),
      ),
    );
  } catch (error) {
    return fill(list, problemBox(error));
  }
}
