// A sound for alarms: off until somebody wants it, remembered, and silent until a browser has seen a click or a key.
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { isChosen, remember } from "../remembered.js";

const STORED = "actogram.alarm-sound";
const TONES_HZ = [880, 660, 880];
const TONE_S = 0.18;

/** Returns {element, ring, close}: a switch, and the sound where it is on. */
export function createAlarmSound() {
  const self = { isOn: isChosen(STORED, false), context: null };
  const button = h("button", { class: "button", type: "button", onclick: () => set(!self.isOn) });
  // Browsers let a page be heard only after somebody touched it: any click or key of this page will do.
  const unlock = () => {
    if (self.isOn) wake();
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, unlock);
  describe();
  return {
    element: button,
    ring() {
      if (self.isOn && self.context?.state === "running") sound(self.context);
      describe();
    },
    close() {
      for (const kind of ["pointerdown", "keydown"]) removeEventListener(kind, unlock);
      self.context?.close();
    },
  };

  function set(isOn) {
    self.isOn = isOn;
    remember(STORED, isOn);
    if (isOn) wake().then(() => sound(self.context));
    describe();
  }

  async function wake() {
    self.context ??= new AudioContext();
    if (self.context.state !== "running") await self.context.resume();
    describe();
  }

  function describe() {
    const waits = self.isOn && self.context?.state !== "running";
    button.replaceChildren(icon("bell"), waits ? "Sound waits for a click" : self.isOn ? "Sound on" : "Sound off");
    button.setAttribute("aria-pressed", String(self.isOn));
    button.dataset.heard = String(self.isOn && !waits);
  }
}

function sound(context) {
  const loudness = context.createGain();
  loudness.connect(context.destination);
  loudness.gain.value = 0.18;
  TONES_HZ.forEach((pitch, index) => {
    const tone = context.createOscillator();
    tone.frequency.value = pitch;
    tone.connect(loudness);
    tone.start(context.currentTime + index * TONE_S);
    tone.stop(context.currentTime + (index + 0.85) * TONE_S);
  });
}
