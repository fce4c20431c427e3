// Who is told of events in words: this browser, mailboxes, chats. Add, change, pause, test.
import { call, page, patch, post, remove } from "../api.js";
import { confirmDialog, field, formDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { notify, problemBox } from "../notify.js";
import { ownDestination, testOwn, turnOff, turnOn, whyNoPush } from "../push.js";
import { lacking, needs } from "../roles.js";
import { showDeliveries } from "./deliveries.js";
import { createWishFields, describeWishes } from "./wish-fields.js";

const PATH = "/v1/destinations";
const KINDS = { apprise: "Apprise", push: "Browser" };

/** Returns {element, load}. */
export function createDestinations() {
  const list = h("ul", { class: "hooks", "aria-label": "People who are told" });
  const fault = h("div", {});
  const own = h("div", { class: "card own-browser" });
  const add = h(
    "button",
    { class: "button", type: "button", ...needs("admin"), onclick: () => edit(null) },
    icon("plus"),
    "Add a mailbox or chat",
  );
  const element = h(
    "div",
    {},
    h("div", { class: "section-head" }, h("h2", {}, "Tell me"), add),
    h(
      "p",
      { class: "quiet section-lede" },
      "Events in words: on this device while the page is closed, by e-mail, or in a chat. Somebody who comes later is told only of what nobody has acknowledged.",
    ),
    own,
    lacking("admin", "Changing mailboxes and chats takes the role admin."),
    fault,
    list,
  );
  return { element, load };

  async function load() {
    try {
      const { items } = await page(PATH);
      fill(fault);
      fill(list, items.map(row));
      showOwn(items.find((item) => item.destination_id === ownDestination()) ?? null);
    } catch (error) {
      fill(fault, problemBox(error, { title: "The destinations cannot be listed", retry: load }));
    }
  }

  function showOwn(mine) {
    const why = whyNoPush();
    const button = (label, run, marks = {}) =>
      h("button", { class: "button", type: "button", ...needs("operator"), ...marks, onclick: () => attempt(run) }, label);
    fill(
      own,
      h("div", {}, h("strong", {}, "This browser"), h("p", { class: "faint" }, mine ? "It is told, also while the page is closed." : why || "It can be told while the page is closed.")),
      h(
        "div",
        { class: "button-row" },
        mine ? button("Send a test", async () => say("This browser", await testOwn())) : null,
        mine ? button("Turn off", turnOff) : button("Turn on", switchOn, { disabled: Boolean(why) }),
      ),
      lacking("operator", "Turning it on takes the role operator."),
    );
  }

  function row(item) {
    const button = (label, run, marks = needs("admin")) =>
      h(
        "button",
        { class: "button small", type: "button", ...marks, onclick: run, "aria-label": `${label}: ${item.name}` },
        label,
      );
    const path = `${PATH}/${item.destination_id}`;
    const what = item.is_lost ? "its address must be given again" : item.shown;
    return h(
      "li",
      { class: "hook" },
      h(
        "div",
        {},
        h("strong", { class: "hook-url" }, item.name),
        h("p", { class: "faint" }, [KINDS[item.kind], what, ...describeWishes(item)].filter(Boolean).join(" · ")),
      ),
      h(
        "div",
        { class: "button-row" },
        button("Test", () => attempt(async () => say(item.name, await call("POST", `${path}/test`)))),
        button("Deliveries", () => showDeliveries(item.name, path), {}),
        button("Change", () => edit(item)),
        button(item.enabled ? "Pause" : "Resume", () => attempt(() => patch(path, { enabled: !item.enabled }))),
        button("Remove", () => discard(item, path)),
      ),
    );
  }

  async function switchOn() {
    const device = /iPhone|iPad|Android/.exec(navigator.userAgent)?.[0] ?? navigator.platform ?? "";
    await turnOn({ name: device ? `Browser on ${device}`.slice(0, 64) : "Browser" });
    notify("This browser will be told.");
  }

  async function edit(item) {
    if (await destinationForm(item)) load();
  }

  async function discard(item, path) {
    const sure = await confirmDialog({
      title: `Tell ${item.name} no longer?`,
      text: `${item.name} will not be told of anything any more.`,
      yes: "Remove",
    });
    if (sure) attempt(() => remove(path));
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

function say(name, result) {
  if (result.delivered) notify(`${name} took the test message after ${Math.round(result.latency_ms)} ms.`);
  else notify(`${name}: ${result.detail}`, { kind: "error" });
}

function destinationForm(item) {
  const name = h("input", { value: item?.name ?? "", required: true, maxlength: "64", placeholder: "Night shift" });
  const url = h("input", {
    required: !item || item.is_lost,
    maxlength: "2048",
    placeholder: item?.shown ?? "mailtos://user:password@example.org",
    autocomplete: "off",
    spellcheck: "false",
  });
  const wishes = createWishFields(item ?? { min_severity: "warning" });
  const help = item
    ? "Left empty, it stays as it is. It is never shown again."
    : "As Apprise has them: mailtos://user:password@example.org, tgram://token/chat, slack://…, ntfys://host/topic. It is kept sealed and never shown again.";
  return formDialog({
    title: item ? `Change ${item.name}` : "Add a mailbox or chat",
    yes: item ? "Save" : "Add",
    size: "wide",
    fields: [field("Name", name), item?.kind === "push" ? null : field("Address", url, help), wishes.elements],
    submit: () => {
      const body = { name: name.value.trim(), ...(url.value ? { url: url.value.trim() } : {}), ...wishes.read() };
      return item ? patch(`${PATH}/${item.destination_id}`, body) : post(PATH, body);
    },
  });
}
