// Sets the theme before the first paint; a plain script because a module would run after it.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("actogram.theme");
  } catch {
    // Storage may be forbidden: then the system decides.
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
