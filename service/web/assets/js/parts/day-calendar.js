// A month in which days that have events stand out, to choose one of them.
import { get } from "../api.js";
import { beginOf } from "../days.js";
import { openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { problemBox } from "../notify.js";
import { dayAfter, dayOf } from "./review-query.js";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
const SHOWN_DAYS = 42;

/** Show the month of `day`; `filter()` gives what is searched for. Resolves to the day that was chosen, or null. */
export function chooseDay(day, filter) {
  return new Promise((resolve) => {
    const self = { day, month: monthOf(day), chosen: null, filter, turn: 0 };
    self.title = h("strong", { "aria-live": "polite" });
    self.grid = h("div", {});
    self.fault = h("div", {});
    const move = (months) => () => show(self, shifted(self.month, months));
    const arrow = (name, label, months) =>
      h("button", { class: "button plain icon", type: "button", "aria-label": label, onclick: move(months) }, icon(name));
    const body = [
      h("div", { class: "month-head" }, arrow("back", "Earlier month", -1), self.title, arrow("next", "Later month", 1)),
      self.fault,
      self.grid,
    ];
    const dialog = openDialog({ title: "Choose a day", body, onClose: () => resolve(self.chosen) });
    self.choose = (found) => {
      self.chosen = found;
      dialog.close();
    };
    show(self, self.month);
  });
}

async function show(self, month, focused = self.day) {
  const mine = ++self.turn;
  self.month = month;
  self.title.textContent = new Date(beginOf(month)).toLocaleDateString("en-GB", { month: "long", year: "numeric" });
  const first = dayAfter(month, -((new Date(beginOf(month)).getDay() + 6) % 7));
  draw(self, first, null, focused);
  try {
    const wanted = self.filter();
    wanted.set("since", beginOf(first));
    wanted.set("until", beginOf(first, SHOWN_DAYS));
    wanted.set("tz", Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC");
    const { items } = await get(`/v1/events/days?${wanted}`);
    if (mine !== self.turn) return;
    fill(self.fault);
    const held = document.activeElement?.dataset?.day;
    draw(self, first, new Map(items.map((item) => [item.day, item])), held ?? focused);
  } catch (error) {
    if (mine === self.turn)
      fill(self.fault, problemBox(error, { title: "Which days have events is not known", retry: () => show(self, month) }));
  }
}

function draw(self, first, found, focused) {
  const days = Array.from({ length: SHOWN_DAYS }, (_, index) => dayAfter(first, index));
  const weeks = Array.from({ length: SHOWN_DAYS / 7 }, (_, week) => days.slice(7 * week, 7 * week + 7));
  const wanted = days.includes(focused) ? focused : self.month;
  fill(
    self.grid,
    h(
      "table",
      { class: "month", "aria-busy": found ? "false" : "true", onkeydown: (event) => onKey(event, self) },
      h("thead", {}, h("tr", {}, WEEKDAYS.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, weeks.map((week) => h("tr", {}, week.map((day) => cell(self, day, found?.get(day), wanted))))),
    ),
  );
  self.grid.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
}

function cell(self, day, tally, focused) {
  const said = new Date(beginOf(day)).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
  const what = tally ? (tally.events ? count(tally.events, "event") : "no event") : "";
  const alarms = tally?.alarms ? `, ${count(tally.alarms, "alarm")}` : "";
  return h(
    "td",
    {},
    h(
      "button",
      {
        type: "button",
        class: "month-day",
        "aria-label": [said, what].filter(Boolean).join(", ") + alarms,
        "aria-current": day === dayOf(new Date()) ? "date" : null,
        "aria-pressed": String(day === self.day),
        tabindex: day === focused ? "0" : "-1",
        dataset: {
          day,
          outside: day.slice(0, 7) !== self.month.slice(0, 7),
          tone: tally?.alarms ? "alarm" : tally?.warnings ? "warning" : tally?.events ? "some" : "none",
        },
        onclick: () => self.choose(day),
      },
      String(Number(day.slice(8))),
      h("span", { class: "month-count", "aria-hidden": "true" }, tally?.events ? short(tally.events) : ""),
    ),
  );
}

function onKey(event, self) {
  const day = event.target.dataset.day;
  const step = STEPS[event.key];
  if (!day || step === undefined) return;
  event.preventDefault();
  const next = dayAfter(day, step);
  const shown = self.grid.querySelector(`[data-day="${next}"]`);
  if (!shown || shown.dataset.outside === "true") return void show(self, monthOf(next), next);
  self.grid.querySelector('[tabindex="0"]').tabIndex = -1;
  shown.tabIndex = 0;
  shown.focus();
}

function short(number) {
  return number < 1000 ? String(number) : `${Math.round(number / 1000)}k`;
}

function monthOf(day) {
  return `${day.slice(0, 7)}-01`;
}

function shifted(month, months) {
  const date = new Date(beginOf(month));
  return dayOf(new Date(date.getFullYear(), date.getMonth() + months, 1));
}
