// Starts the page: sections, theme, sign-in, routes.
import { signIn, signOut } from "./api.js";
import { field, formDialog } from "./dialog.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { knownRole, loadRole } from "./roles.js";
import { current, startRouter } from "./router.js";
import { themeButton } from "./theme.js";

const SECTIONS = [
  ["Videos", "/", ["/", "/videos"]],
  ["Live", "/live", ["/live"]],
  ["Events", "/events", ["/events"]],
  ["Review", "/review", ["/review"]],
  ["Insights", "/insights", ["/insights"]],
  ["Setup", "/setup", ["/setup"]],
];

const ROUTES = [
  ["/", () => opener(import("./pages/videos.js"))],
  ["/videos/:id", () => opener(import("./pages/player.js"))],
  ["/live", () => opener(import("./pages/wall.js"))],
  ["/live/:id", () => opener(import("./pages/stream.js"))],
  ["/events", () => opener(import("./pages/events.js"))],
  ["/review", () => opener(import("./pages/review.js"))],
  ["/insights", () => opener(import("./pages/insights.js"))],
  ["/setup", () => opener(import("./pages/setup.js"))],
  ["/setup/keys", () => opener(import("./pages/keys.js"))],
];

const links = SECTIONS.map(([name, path]) => h("a", { href: `#${path}` }, name));
document.getElementById("sections").append(...links);
document.getElementById("tools").append(themeButton());
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // The hash is the route: the link must not change it.
  document.getElementById("main").focus();
});
addEventListener("keyneeded", askForKey);
// The key may have been changed in another tab, or its role by an admin.
addEventListener("refused", loadRole);
document.addEventListener("visibilitychange", () => document.hidden || loadRole());
startRouter(document.getElementById("main"), ROUTES, markSection);
showWho();

async function opener(loading) {
  // Who asks decides what a page offers: nothing shall appear and vanish again.
  const [page] = await Promise.all([loading, knownRole()]);
  return page.open;
}

function markSection() {
  const path = current();
  document.getElementById("main").dataset.path = path;
  SECTIONS.forEach(([, , prefixes], index) => {
    const isHere = prefixes.some((prefix) => path === prefix || (prefix !== "/" && path.startsWith(`${prefix}/`)));
    if (isHere) {
      links[index].setAttribute("aria-current", "page");
      links[index].scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone the sections may be scrolled
    } else links[index].removeAttribute("aria-current");
  });
}

async function showWho() {
  const who = await knownRole(); // Without an answer there is nobody to show.
  if (who?.access !== "key") return;
  const leave = async () => {
    await signOut();
    location.reload();
  };
  const label = `Sign out ${who.name}, ${who.role}`;
  document
    .getElementById("tools")
    .append(
      h(
        "button",
        { class: "button plain icon", type: "button", title: label, "aria-label": label, onclick: leave },
        icon("leave"),
      ),
    );
}

let isAsking = false;

async function askForKey() {
  if (isAsking) return;
  isAsking = true;
  const input = h("input", { name: "key", type: "password", autocomplete: "current-password", required: true });
  const fields = [
    field("API key", input, "This server asks for one. The browser keeps it for thirty days, out of reach of scripts."),
  ];
  const answer = await formDialog({
    title: "Sign in",
    isOfPage: false,
    fields,
    yes: "Sign in",
    submit: (data) => signIn(data.get("key").trim()),
  });
  isAsking = false;
  if (answer) location.reload();
}
