// API keys: who may ask for what and until when; made here, shown once, revoked.
import { get, post, remove, signIn } from "../api.js";
import { confirmDialog, field, formDialog, openDialog } from "../dialog.js";
import { closers, fill, h } from "../dom.js";
import { moment } from "../format.js";
import { icon } from "../icons.js";
import { notify, problemBox } from "../notify.js";
import { knownRole, lacking, may, needs } from "../roles.js";

const ROLES = [
  ["viewer", "Viewer: looks at everything"],
  ["operator", "Operator: also adds cameras and videos, acknowledges events"],
  ["admin", "Admin: also keys, webhooks and erasures"],
];
const ENDS = [
  ["", "Never"],
  ["1", "After a day"],
  ["7", "After a week"],
  ["30", "After 30 days"],
  ["365", "After a year"],
];
const DAY_MS = 24 * 3600_000;

/** Fill `main` with the page; returns its clean-up. */
export function open(main) {
  document.title = "Keys – Actogram";
  const end = closers();
  const self = { isOpen: true, who: h("p", { class: "faint" }), fault: h("div", {}), list: h("div", {}) };
  end.add(() => (self.isOpen = false));
  const add = h(
    "button",
    { class: "button primary", type: "button", ...needs("admin"), onclick: () => create(self) },
    icon("plus"),
    "Add a key",
  );
  main.append(
    h("div", { class: "page-head item" }, h("div", {}, h("a", { class: "crumb", href: "#/setup" }, icon("back", 16), "Setup"), h("h1", {}, "Keys"), self.who), add),
    lacking("admin", "Only an admin sees and changes keys."),
    self.fault,
    self.list,
  );
  load(self);
  return end.close;
}

async function load(self) {
  const who = await knownRole();
  self.isFirst = who?.access === "open";
  self.who.textContent = !who ? "" : self.isFirst ? "This server asks nobody for a key: it answers only this machine." : `You are ${who.name}, with the role ${who.role}.`;
  if (!may("admin")) return;
  try {
    const { items } = await get("/v1/keys");
    if (!self.isOpen) return;
    fill(self.fault);
    fill(self.list, items.length ? table(self, items) : emptyState());
  } catch (error) {
    fill(self.fault, problemBox(error, { title: "The keys cannot be listed", retry: () => load(self) }));
  }
}

function emptyState() {
  return h(
    "div",
    { class: "empty" },
    h("h2", {}, "No key yet"),
    h("p", {}, "Whoever uses this machine may do everything here. The first key must be an admin’s; from then on every request needs a key, this page too."),
  );
}

function table(self, keys) {
  const heads = ["Name", "Role", "Made", "Ends", ""];
  const row = (key) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, key.name, key.is_mine ? [" ", h("span", { class: "tag" }, "yours")] : null),
      h("td", {}, h("span", { class: "tag" }, key.role)),
      h("td", {}, moment(key.created_at)),
      h("td", {}, ending(key)),
      h("td", {}, h("button", { class: "button small", type: "button", "aria-label": `Revoke: ${key.name}`, onclick: () => revoke(self, key) }, "Revoke")),
    );
  return h(
    "div",
    { class: "table-scroll keys-table", tabindex: "0", role: "region", "aria-label": "Keys" },
    h("table", { class: "plain" }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head || h("span", { class: "unseen" }, "Change"))))), h("tbody", {}, keys.map(row))),
  );
}

function ending(key) {
  if (!key.expires_at) return "never";
  return key.is_expired ? h("span", { class: "tag", dataset: { tone: "warning" } }, "ended") : moment(key.expires_at);
}

async function create(self) {
  const name = h("input", { name: "name", required: true, maxlength: "128", autocomplete: "off", placeholder: "Who or what will use it" });
  const choice = (options, name_, usual) =>
    h("select", { name: name_, disabled: self.isFirst }, options.map(([value, label]) => h("option", { value, selected: value === usual }, label)));
  const role = choice(ROLES, "role", self.isFirst ? "admin" : "viewer");
  const until = choice(ENDS, "until", "");
  const made = await formDialog({
    title: self.isFirst ? "Add the first key" : "Add a key",
    yes: "Add",
    fields: [
      self.isFirst ? h("p", {}, "It closes this server: from then on everybody needs a key. It must be an admin’s and have no end, so that others can be made with it.") : null,
      field("Name", name),
      field("Role", role),
      field("Ends", until),
    ].filter(Boolean),
    submit: () =>
      post("/v1/keys", {
        name: name.value,
        role: role.value,
        expires_at: until.value ? new Date(Date.now() + Number(until.value) * DAY_MS).toISOString() : null,
      }),
  });
  if (!made) return;
  showOnce(made, self.isFirst);
  if (!self.isFirst) load(self);
}

/** The first key is this browser's from then on: else the page that made it would be shut out. */
function showOnce({ key, name }, isFirst) {
  const copy = h("button", { class: "button primary", type: "button", onclick: copyIt }, "Copy");
  openDialog({
    title: `The key of ${name}`,
    body: [
      h("p", {}, "It is shown only now: nothing but its hash is kept. Whoever has it may do what its role allows."),
      h("p", {}, h("code", { class: "secret" }, key)),
      isFirst ? h("p", {}, "This browser signs in with it when you close this.") : null,
    ].filter(Boolean),
    foot: [copy],
    onClose: () => isFirst && signIn(key).then(() => location.reload()),
  });
  async function copyIt() {
    await navigator.clipboard?.writeText(key);
    fill(copy, icon("check"), "Copied");
  }
}

async function revoke(self, key) {
  const own = key.is_mine ? " It is the key you are signed in with: you will need another one." : "";
  const sure = await confirmDialog({
    title: "Revoke this key?",
    text: `${key.name} (${key.role}) will be refused at once, and its open connections end within seconds.${own}`,
    yes: "Revoke",
  });
  if (!sure) return;
  try {
    await remove(`/v1/keys/${key.key_id}`);
    if (key.is_mine) return void location.reload();
  } catch (error) {
    notify(error.message, { kind: "error" });
  }
  load(self);
}
