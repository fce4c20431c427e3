// Choices that this browser keeps: on or off, under a name.

/** What was chosen, or `usual`. */
export function isChosen(name, usual) {
  try {
    return (localStorage.getItem(name) ?? String(usual)) === "true";
  } catch {
    return usual;
  }
}

/** Keep a choice; without storage it lasts until the page is left. */
export function remember(name, isOn) {
  try {
    localStorage.setItem(name, String(isOn));
  } catch {
    // The choice holds for now.
  }
}
