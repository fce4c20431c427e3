// Hours of the week: rows of days, from and to; a later hour than the end reaches into the next day.
import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";

const DAYS = [
  ["mon", "Mo", "Monday"],
  ["tue", "Tu", "Tuesday"],
  ["wed", "We", "Wednesday"],
  ["thu", "Th", "Thursday"],
  ["fri", "Fr", "Friday"],
  ["sat", "Sa", "Saturday"],
  ["sun", "Su", "Sunday"],
];

/** An editor of weekly hours: {element, read}. `label` names the group, `none` says what no hours mean. */
export function createWeeklyHours(hours, { label, none }) {
  const rows = hours.map((one) => hoursRow(one, drop));
  const said = h("span", { class: "faint" });
  const list = h("div", { class: "hours-list" });
  const add = h("button", { class: "button small", type: "button", onclick: grow }, icon("plus"), "Add hours");
  render();
  const element = h(
    "div",
    { class: "field", role: "group", "aria-label": label },
    h("span", { class: "label" }, label, " ", said),
    list,
    h("div", {}, add),
  );
  return { element, read: () => rows.map((row) => row.read()) };

  function grow() {
    rows.push(hoursRow({ days: DAYS.map(([day]) => day), from: "22:00", to: "06:00" }, drop));
    render();
    rows.at(-1).element.querySelector("input").focus();
  }

  function drop(row) {
    rows.splice(rows.indexOf(row), 1);
    render();
    add.focus();
  }

  function render() {
    fill(said, rows.length ? "" : none);
    fill(
      list,
      rows.map((row) => row.element),
    );
  }
}

/** A field for an IANA time zone, with those that the browser knows on offer; the browser's own where none is given. */
export function zoneField(zone) {
  const names = Intl.supportedValuesOf?.("timeZone") ?? [];
  const offered = h(
    "datalist",
    { id: "time-zones" },
    ["UTC", ...names].map((name) => h("option", { value: name })),
  );
  const input = h("input", {
    value: zone ?? ownZone(),
    list: "time-zones",
    required: true,
    maxlength: "64",
    autocomplete: "off",
    spellcheck: "false",
  });
  return { input, element: h("div", {}, field("Time zone of these hours", input), offered) };
}

/** The zone of the clock of whoever looks at the page. */
function ownZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

function hoursRow(hours, drop) {
  const picked = new Set(hours.days);
  const days = DAYS.map(([day, short, long]) => {
    const button = h(
      "button",
      {
        type: "button",
        class: "chip pick day",
        "aria-label": long,
        "aria-pressed": String(picked.has(day)),
        onclick: () => {
          if (!picked.delete(day)) picked.add(day);
          button.setAttribute("aria-pressed", String(picked.has(day)));
        },
      },
      short,
    );
    return button;
  });
  const [from, to] = [clockInput(hours.from, "From"), clockInput(hours.to, "To")];
  const row = { read, element: null };
  row.element = h(
    "div",
    { class: "hours-row" },
    h("div", { class: "chips", role: "group", "aria-label": "Days on which they begin" }, days),
    h(
      "div",
      { class: "hours-times" },
      from,
      h("span", { "aria-hidden": "true" }, "–"),
      to,
      h(
        "button",
        { class: "button plain icon", type: "button", "aria-label": "Remove these hours", onclick: () => drop(row) },
        icon("trash"),
      ),
    ),
  );
  return row;

  function read() {
    return { days: DAYS.map(([day]) => day).filter((day) => picked.has(day)), from: from.value, to: to.value };
  }
}

// A browser's own field for times has twelve hours in some countries, and no 24:00 in any.
function clockInput(value, label) {
  return h("input", {
    value,
    required: true,
    pattern: "([01][0-9]|2[0-3]):[0-5][0-9]|24:00",
    maxlength: "5",
    placeholder: "22:00",
    title: "Hours and minutes, 00:00 to 24:00",
    inputmode: "text",
    autocomplete: "off",
    "aria-label": label,
  });
}
