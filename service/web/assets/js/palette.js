// One colour per action: blues move, greens change posture, yellows gesture, violets strike, reds are alarms.

const NAMED = {
  walk: "#4c8df6",
  run: "#2457d6",
  jump: "#29a3e0",
  squat: "#6f7df2",
  stand: "#93a4b5",
  sitting: "#7388a0",
  sit_down: "#3fb5a3",
  stand_up: "#2f9e6e",
  pick_up: "#86b93b",
  lie: "#e8833a",
  fall: "#e5484d",
  wave: "#f0b90b",
  clap: "#cf9a3c",
  punch: "#d6409f",
  kick: "#a855f7",
  throw: "#8468d8",
  push: "#b8478f",
  unknown: "#9a9a96",
};

/** The neutral colour of a person of whom nothing is said. */
export const NEUTRAL = "#ecece8";

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
