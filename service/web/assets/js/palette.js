// One colour per action, and the ink that reads well on it.

import { NAMED, NEUTRAL } from "./action-colours.js";

/** The neutral colour of a person of whom nothing is said. */
export { NEUTRAL };

/** The colour of an action; a label of the user's own gets a steady one from its name. */
export function colourOf(action) {
  if (!action || action === "none") return NEUTRAL;
  return NAMED[action] ?? ownColour(action);
}

/** Black or white, whichever reads better on a colour. */
export function inkOn(colour) {
  const light = luminance(colour);
  return (light + 0.05) / 0.0555 > 1.05 / (light + 0.05) ? "#101113" : "#ffffff";
}

function ownColour(action) {
  let hash = 0;
  for (const letter of action) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return hslToHex(hash % 360, 0.55, 0.55);
}

function hslToHex(hue, saturation, lightness) {
  const swing = saturation * Math.min(lightness, 1 - lightness);
  const part = (offset) => {
    const turn = (offset + hue / 30) % 12;
    const value = lightness - swing * Math.max(-1, Math.min(turn - 3, 9 - turn, 1));
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}

function luminance(colour) {
  const linear = [1, 3, 5].map((start) => {
    const share = parseInt(colour.slice(start, start + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
