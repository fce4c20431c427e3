// Light and dark: the system decides until the person does.
import { icon } from "./icons.js";
import { h } from "./dom.js";

const STORED = "actogram.theme";

/** Whether the dark palette shows now. */
export function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

/** Call `changed` whenever the palette changes; returns a function that stops it. */
export function onThemeChange(changed) {
  addEventListener("themechange", changed);
  return () => removeEventListener("themechange", changed);
}

/** The button in the bar that switches the palette. */
export function themeButton() {
  const button = h("button", {
    class: "button plain icon",
    type: "button",
    onclick: () => choose(isDark() ? "light" : "dark"),
  });
  const describe = () => {
    button.replaceChildren(icon(isDark() ? "sun" : "moon"));
    button.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
  };
  describe();
  onThemeChange(describe);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    if (!stored()) apply(event.matches ? "dark" : "light");
  });
  return button;
}

function choose(theme) {
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // Without storage the choice lasts until the tab closes.
  }
  apply(theme);
}

function apply(theme) {
  document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event("themechange"));
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}
