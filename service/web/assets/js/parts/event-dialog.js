// One event: its clip, what is known of it, acknowledge, comment, feedback.
import { get, patch, post } from "../api.js";
import { openDialog } from "../dialog.js";
import { announce, fill, h, nextId } from "../dom.js";
import { aboutPerson, duration, momentWithSeconds, percent, words } from "../format.js";
import { icon } from "../icons.js";
import { problemBox } from "../notify.js";
import { lacking, may, needs } from "../roles.js";
import { swatch } from "./legend.js";

const VERDICTS = [
  ["correct", "Right"],
  ["wrong", "Wrong"],
  ["unsure", "Unsure"],
];

/** Show an event; resolves to the event as it was changed, or null. */
export function openEvent(event, { nameOf, catalog }) {
  return new Promise((resolve) => {
    const self = { event, changed: null, catalog, nameOf };
    self.fault = h("div", {});
    self.clip = h("div", { class: "clip" });
    self.facts = h("dl", { class: "facts" });
    self.seen = h("button", { type: "button", ...needs("operator"), onclick: () => acknowledge(self) });
    const path = `/v1/events/${encodeURIComponent(event.event_id)}`;
    self.path = path;
    const evidence = h(
      "a",
      { class: "button", href: `${path}/evidence`, download: `${event.event_id}.zip` },
      icon("down"),
      "Evidence",
    );
    showClip(self);
    showFacts(self);
    describeSeen(self);
    const title = aboutPerson(words(event.action), event.track_id);
    openDialog({
      title,
      size: "wide",
      body: [self.fault, self.clip, self.facts, feedbackForm(self), commentForm(self), notForViewers()],
      foot: [event.clip_state === "ready" ? evidence : null, may("operator") ? self.seen : null].filter(Boolean),
      onClose: () => resolve(self.changed),
    });
    refresh(self);
  });
}

function notForViewers() {
  return lacking("operator", "Acknowledging an event and judging it takes the role operator.");
}

async function refresh(self) {
  try {
    const clipBefore = self.event.clip_state;
    take(self, await get(self.path));
    showFacts(self);
    describeSeen(self);
    if (self.event.clip_state !== clipBefore) showClip(self);
  } catch (error) {
    fill(self.fault, problemBox(error));
  }
}

function take(self, event) {
  self.event = event;
  self.changed = event;
}

function showClip(self) {
  const { clip_state: state } = self.event;
  if (state === "ready") {
    const video = h("video", {
      src: `${self.path}/clip`,
      controls: true,
      playsinline: true,
      muted: true,
      loop: true,
      preload: "metadata",
      "aria-label": "Clip of the event",
    });
    video.addEventListener("error", () =>
      fill(
        self.clip,
        h("p", { class: "quiet" }, "This browser cannot play the camera’s codec. The evidence holds the clip."),
      ),
    );
    return fill(self.clip, video);
  }
  const said = {
    pending: "The clip is being cut.",
    failed: "There is no clip: the pictures around this event were lost.",
    none: "No clip was recorded.",
  };
  return fill(self.clip, h("p", { class: "quiet" }, said[state] ?? said.none));
}

function showFacts(self) {
  const { event } = self;
  const quality = self.catalog.actions.get(event.action)?.quality;
  const rows = [
    [
      "Action",
      h(
        "span",
        { class: "with-swatch" },
        swatch(event.action, quality),
        words(event.action),
        quality ? ` (${quality})` : "",
      ),
    ],
    ["Camera", self.nameOf(event.stream_id)],
    ["Began", momentWithSeconds(event.start_time)],
    ["Lasted", duration(event.duration_s)],
    ["Score", percent(event.score)],
    ["State", event.state],
    ["Severity", event.severity],
    event.zones?.length ? ["Zones", event.zones.join(", ")] : null,
    event.rules?.length ? ["Rules", event.rules.join(", ")] : null,
    ["Model", event.model],
    ["Seen", event.acknowledged_at ? momentWithSeconds(event.acknowledged_at) : "not yet"],
    event.comment && !may("operator") ? ["Note", event.comment] : null,
  ];
  fill(
    self.facts,
    rows.filter((row) => row?.[1]).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

function describeSeen(self) {
  const isSeen = Boolean(self.event.acknowledged_at);
  self.seen.className = isSeen ? "button" : "button primary";
  fill(self.seen, icon("check"), isSeen ? "Mark as not seen" : "Acknowledge");
}

async function acknowledge(self) {
  await attempt(self, async () => {
    take(self, await patch(self.path, { acknowledged: !self.event.acknowledged_at }));
    describeSeen(self);
    showFacts(self);
    announce(self.event.acknowledged_at ? "Acknowledged" : "Marked as not seen");
  });
}

function feedbackForm(self) {
  const group = nextId("verdict");
  const was = h(
    "select",
    { "aria-label": "What it was" },
    h("option", { value: "" }, "It was…"),
    [...self.catalog.actions.keys()].map((action) => h("option", { value: action }, words(action))),
  );
  was.hidden = true;
  const said = h("span", { class: "faint", role: "status" });
  const send = async (verdict) => {
    was.hidden = verdict !== "wrong";
    if (verdict === "wrong" && !was.value) return;
    await attempt(self, async () => {
      await post(`${self.path}/feedback`, { verdict, action: verdict === "wrong" ? was.value : null });
      fill(said, "Thank you, kept.");
    });
  };
  was.addEventListener("change", () => send("wrong"));
  const options = VERDICTS.map(([verdict, label]) =>
    h(
      "label",
      { class: "check" },
      h("input", { type: "radio", name: group, value: verdict, onchange: () => send(verdict) }),
      label,
    ),
  );
  return h(
    "fieldset",
    { class: "verdict", ...needs("operator") },
    h("legend", {}, "Was this right?"),
    h("div", { class: "button-row" }, options, was, said),
  );
}

function commentForm(self) {
  const input = h("input", {
    name: "comment",
    maxlength: "4000",
    value: self.event.comment ?? "",
    placeholder: "Add a note",
    "aria-label": "Note",
  });
  const said = h("span", { class: "faint", role: "status" });
  const save = (event) => {
    event.preventDefault();
    attempt(self, async () => {
      take(self, await patch(self.path, { comment: input.value }));
      fill(said, "Saved.");
    });
  };
  return h(
    "form",
    { class: "comment", ...needs("operator"), onsubmit: save },
    input,
    h("button", { class: "button", type: "submit" }, "Save"),
    said,
  );
}

async function attempt(self, work) {
  try {
    fill(self.fault);
    await work();
  } catch (error) {
    fill(self.fault, problemBox(error));
  }
}
