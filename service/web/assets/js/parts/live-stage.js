// A camera's live picture with people drawn over it; each picture waits a moment for what was said of it.
import { closers, fill, h } from "../dom.js";
import { openFeed } from "../feed.js";
import { icon } from "../icons.js";
import { createOverlay } from "../overlay.js";

const PICTURES_KEPT = 24;
const MESSAGES_KEPT = 90;
const PATIENCE_MS = 900; // how long a picture waits for its labels before it shows without

/**
 * Make the stage of a stream. `hasPictures`: false shows skeletons alone. `onShown(persons)` follows what is drawn,
 * `onPick(trackId)` a click. Returns {element, overlay, takeFrame(message), setNote(text), close}.
 */
export function createLiveStage({ path, hasPictures, onShown, onPick }) {
  const end = closers();
  const canvas = h("canvas", { class: "feed", width: "640", height: "360", role: "img", "aria-label": "Live picture" });
  const overlay = createOverlay(canvas, () => [canvas.width, canvas.height]);
  const note = h("p", { class: "feed-note" });
  const picture = h("div", { class: "picture" }, canvas, overlay.canvas, note);
  const self = { canvas, overlay, onShown, pictures: [], messages: [], isLive: false, hasPictures };
  const element = h(
    "div",
    { class: "stage live", role: "group", "aria-label": "Live picture" },
    picture,
    bar(overlay, () => element),
  );
  end.add(overlay.close);
  end.listen(picture, "click", (event) => onPick(overlay.pick(event)));
  if (hasPictures) {
    const feed = openFeed(path, {
      onPicture: (item) => takePicture(self, item),
      onState: (state, error) => (self.feedFault = state === "waiting" ? error : null),
    });
    end.add(feed.close);
  }
  let handle = requestAnimationFrame(function tick() {
    show(self);
    handle = requestAnimationFrame(tick);
  });
  end.add(() => cancelAnimationFrame(handle));
  end.add(() => self.pictures.forEach((item) => item.bitmap.close()));
  return {
    element,
    overlay,
    takeFrame: (message) => takeMessage(self, message),
    setNote(text) {
      self.isAway = Boolean(text);
      fill(note, text);
      note.hidden = !text;
      canvas.dataset.stale = Boolean(text);
      if (!text) return;
      self.pictures.splice(0).forEach((item) => item.bitmap.close());
      self.messages.length = 0;
      paintPersons(self, []);
    },
    close: end.close,
  };
}

function takePicture(self, item) {
  if (self.isAway) return item.bitmap.close();

  self.pictures.push({ ...item, atMs: performance.now() });
  while (self.pictures.length > PICTURES_KEPT) self.pictures.shift().bitmap.close();
  return null;
}

function takeMessage(self, message) {
  self.messages.push({
    frameIndex: message.frame_index,
    persons: message.data.persons ?? [],
    size: message.data.frame_size,
    atMs: performance.now(),
  });
  if (self.messages.length > MESSAGES_KEPT) self.messages.shift();
  if (!self.hasPictures && !self.isAway) showWithoutPicture(self);
}

function show(self) {
  if (!self.pictures.length) return;
  const newest = self.messages.at(-1);
  // The newest picture whose labels are there; a picture that does not say which frame it is goes at once.
  let ready = -1;
  self.pictures.forEach((item, index) => {
    const isKnown = item.frameIndex === null || (newest && newest.frameIndex >= item.frameIndex);
    if (isKnown || performance.now() - item.atMs > PATIENCE_MS) ready = index;
  });
  if (ready < 0) return;
  const [item] = self.pictures.splice(ready, 1);
  self.pictures.splice(0, ready).forEach((old) => old.bitmap.close());
  paintPicture(self, item);
}

function paintPicture(self, { bitmap, frameIndex }) {
  const { canvas } = self;
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height)
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  const said = messageOf(self, frameIndex);
  self.overlay.canvas.dataset.frame = said?.frameIndex ?? "";
  paintPersons(self, said?.persons ?? []);
}

function messageOf(self, frameIndex) {
  if (frameIndex === null) return fresh(self.messages.at(-1));
  let best = null;
  for (const message of self.messages) {
    const away = Math.abs(message.frameIndex - frameIndex);
    if (!best || away <= best.away) best = { away, message };
  }
  return fresh(best?.message);
}

function fresh(message) {
  // A person who left must not stay drawn because no newer message came.
  return message && performance.now() - message.atMs < 1500 ? message : null;
}

function showWithoutPicture(self) {
  const { canvas } = self;
  const { persons, size } = self.messages.at(-1);
  const [width, height] = size ?? [640, 360];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  paintPersons(self, persons);
}

function paintPersons(self, persons) {
  self.overlay.draw(persons);
  self.onShown(persons);
}

function bar(overlay, element) {
  const toggle = (option, label) => {
    const button = h(
      "button",
      {
        type: "button",
        "aria-pressed": "true",
        onclick: () => {
          const isOn = button.getAttribute("aria-pressed") !== "true";
          button.setAttribute("aria-pressed", String(isOn));
          overlay.setOptions({ [option]: isOn });
        },
      },
      label,
    );
    return button;
  };
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : element().requestFullscreen?.());
  return h(
    "div",
    { class: "stage-bar" },
    h(
      "div",
      { class: "switches", role: "group", "aria-label": "What is drawn" },
      toggle("showBoxes", "Boxes"),
      toggle("showSkeletons", "Skeletons"),
      toggle("showLabels", "Labels"),
    ),
    h("span", { class: "stage-time" }),
    h(
      "button",
      { class: "button plain icon", type: "button", "aria-label": "Full screen", onclick: full },
      icon("full"),
    ),
  );
}
