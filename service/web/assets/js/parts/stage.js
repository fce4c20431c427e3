// A video with people drawn over it and controls of its own, so that full screen keeps the drawing.
import { closers, fill, h } from "../dom.js";
import { clock } from "../format.js";
import { icon } from "../icons.js";
import { createOverlay } from "../overlay.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const UNKNOWN_STEP_S = 1 / 30; // a step where the results are not read yet
const INSIDE_S = 0.001; // a player shows the frame before a time that lies between two

/**
 * Make the stage. `personsAt(timeS)` gives who is in the frame; `timeBeside(timeS, way)` when the frame before (-1) or after
 * (1) it begins, null where that is not known; `onTime(timeS, persons)` follows every frame shown; `onPick(trackId)` a click
 * on a person or on nobody (null); `onUnplayable()` a file that the browser cannot decode. Returns {element, overlay, video, seek, refresh, close}.
 */
export function createStage({ source, personsAt, timeBeside, onTime, onPick, onUnplayable }) {
  const end = closers();
  const video = h("video", { src: source, playsinline: true, muted: true, preload: "auto", "aria-label": "The video" });
  const overlay = createOverlay(video, () => [video.videoWidth, video.videoHeight]);
  const picture = h("div", { class: "picture" }, video, overlay.canvas);
  const element = h("div", { class: "stage", role: "group", "aria-label": "Player" }, picture);
  const self = { video, overlay, timeBeside, shownS: 0, aimS: null, element };
  const show = (timeS) => {
    self.shownS = timeS;
    const persons = personsAt(timeS);
    overlay.draw(persons);
    overlay.canvas.dataset.time = timeS.toFixed(3);
    onTime(timeS, persons);
  };
  end.add(overlay.close);
  end.add(followFrames(video, show));
  end.listen(video, "loadedmetadata", () => overlay.redraw());
  end.listen(video, "seeked", () => (self.aimS = null));
  end.listen(video, "error", () => video.error && onUnplayable(video.error));
  end.listen(picture, "click", (event) => {
    const track = overlay.pick(event);
    if (track === null && event.target === video) toggle(video);
    onPick(track);
  });
  element.append(controls(self, end));
  end.listen(document, "keydown", (event) => onKey(event, self));
  return {
    element,
    overlay,
    video,
    seek: (timeS) => seek(video, timeS),
    refresh: () => show(self.shownS),
    close() {
      end.close();
      video.removeAttribute("src");
      video.load(); // Lets go of the connection: a paused video keeps it otherwise.
    },
  };
}

function followFrames(video, show) {
  let handle = 0;
  const hasFrames = "requestVideoFrameCallback" in video;
  const next = () => (handle = hasFrames ? video.requestVideoFrameCallback(onFrame) : requestAnimationFrame(onTick));
  function onFrame(_, frame) {
    show(frame.mediaTime);
    next();
  }
  function onTick() {
    show(video.currentTime);
    next();
  }
  next();
  return () => (hasFrames ? video.cancelVideoFrameCallback(handle) : cancelAnimationFrame(handle));
}

function controls(self, end) {
  const { video, overlay } = self;
  const play = h("button", { class: "button plain icon", type: "button", onclick: () => toggle(video) });
  const time = h("span", { class: "figure stage-time" }, "0:00.0");
  const describe = () => {
    fill(play, icon(video.paused ? "play" : "pause"));
    play.setAttribute("aria-label", video.paused ? "Play" : "Pause");
  };
  const tick = () => fill(time, `${clock(video.currentTime, 1)} / ${clock(video.duration, 1)}`);
  for (const name of ["play", "pause", "ended"]) end.listen(video, name, describe);
  for (const name of ["timeupdate", "durationchange", "seeked"]) end.listen(video, name, tick);
  describe();
  const speed = h(
    "select",
    { "aria-label": "Speed", class: "speed", onchange: () => (video.playbackRate = Number(speed.value)) },
    SPEEDS.map((rate) => h("option", { value: rate, selected: rate === 1 }, `${rate}×`)),
  );
  const full = h(
    "button",
    {
      class: "button plain icon",
      type: "button",
      "aria-label": "Full screen",
      onclick: () => fullScreen(self.element),
    },
    icon("full"),
  );
  return h(
    "div",
    { class: "stage-bar" },
    play,
    stepButton(self, -1),
    stepButton(self, 1),
    time,
    h(
      "div",
      { class: "switches", role: "group", "aria-label": "What is drawn" },
      drawSwitch(overlay, "showBoxes", "Boxes"),
      drawSwitch(overlay, "showSkeletons", "Skeletons"),
      drawSwitch(overlay, "showLabels", "Labels"),
    ),
    speed,
    full,
  );
}

function drawSwitch(overlay, option, label) {
  const button = h("button", { type: "button", "aria-pressed": "true", onclick }, label);
  return button;
  function onclick() {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    overlay.setOptions({ [option]: isOn });
  }
}

function stepButton(self, way) {
  const label = way < 0 ? "One frame back" : "One frame on";
  return h(
    "button",
    {
      class: "button plain icon step",
      type: "button",
      "aria-label": label,
      title: `${label} (${way < 0 ? "," : "."})`,
      onclick: () => step(self, way),
    },
    icon(way < 0 ? "back" : "next"),
  );
}

function step(self, way) {
  const { video } = self;
  video.pause();
  // A key that is held asks for the next step before the last one shows.
  const from = video.seeking && self.aimS !== null ? self.aimS : self.shownS;
  self.aimS = self.timeBeside(from, way) ?? from + way * UNKNOWN_STEP_S;
  seek(video, self.aimS + INSIDE_S);
}

function seek(video, timeS) {
  const last = Number.isFinite(video.duration) ? video.duration : timeS;
  video.currentTime = Math.max(0, Math.min(timeS, last));
}

function toggle(video) {
  if (video.paused)
    video.play().catch(() => {}); // A refused play shows as the play button staying.
  else video.pause();
}

function fullScreen(element) {
  if (document.fullscreenElement) document.exitFullscreen();
  else element.requestFullscreen?.();
}

function onKey(event, self) {
  const { video } = self;
  const isTyping = event.target.closest?.("input, select, textarea, button, a, summary, dialog, [role=slider]");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && !isTyping) {
    event.preventDefault();
    toggle(video);
  }
  if (event.target.closest?.("input, textarea, select, dialog")) return;
  if (event.key === ",") step(self, -1);
  if (event.key === ".") step(self, 1);
}
