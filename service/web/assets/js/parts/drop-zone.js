// Where files are dropped or picked; sends them one after the other and shows how far each is.
import { closers, fill, h, nextId } from "../dom.js";
import { bytes } from "../format.js";
import { icon } from "../icons.js";
import { problemBox } from "../notify.js";
import { may, needs } from "../roles.js";
import { uploadVideo } from "../upload.js";
import { networkFields } from "./network-fields.js";

// Uploads outlive the page that began them: a person who looks at another video must not lose a long one.
const sending = h("ul", { class: "sending", "aria-label": "Uploads" });
const queue = { waiting: [], current: null, onJob: () => {} };

/** Make the drop zone; `onJob(job)` gets every accepted upload. Returns {element, setCompact(isCompact), networks(), close}. */
export function dropZone({ onJob }) {
  const end = closers();
  queue.onJob = onJob;
  const input = h("input", {
    type: "file",
    accept: "video/*,.mkv,.avi,.ts,.m4v",
    multiple: true,
    id: nextId("file"),
    class: "unseen",
  });
  const annotated = h("input", { type: "checkbox" });
  const blur = h("input", { type: "checkbox" });
  const blurOption = h("label", { class: "check drop-option", hidden: true }, blur, "Make faces in it unrecognisable");
  annotated.addEventListener("change", () => (blurOption.hidden = !annotated.checked));
  // Asked for when somebody opens it: most people never do.
  let networks = null;
  const options = h("details", { class: "link drop-networks", ...needs("operator") }, h("summary", {}, "Choose networks"));
  options.addEventListener("toggle", () => {
    if (networks) return;
    networks = networkFields();
    options.append(networks.element);
  });
  const chosen = () => given(networks?.value() ?? {});
  const zone = h(
    "div",
    { class: "drop", ...needs("operator") },
    h("div", { class: "drop-art", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {}), h("i", {}), h("i", {})),
    h("p", { class: "drop-title" }, "Drop a video anywhere on this page"),
    h("p", { class: "faint" }, "MP4, MOV, MKV, WebM, AVI. It stays on this server."),
    input,
    h("label", { class: "button primary", for: input.id }, icon("up"), "Choose a video"),
    h("label", { class: "check drop-option" }, annotated, "Also make an annotated MP4"),
    blurOption,
  );
  const take = (files) => {
    for (const file of files) {
      const video = annotated.checked || !canPlay(file) ? { video: true } : {};
      const hidden = annotated.checked && blur.checked ? { blur_faces: true } : {};
      queue.waiting.push(uploadRow(file, { ...chosen(), ...video, ...hidden }));
    }
    drain();
  };
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  listenForDrops(end, zone, take);
  end.add(() => (queue.onJob = () => {}));
  const setCompact = (isCompact) => (zone.dataset.compact = isCompact);
  const element = h("section", { "aria-label": "Upload" }, zone, options, sending);
  return { element, setCompact, networks: chosen, close: end.close };
}

function given(options) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));
}

function listenForDrops(end, zone, take) {
  let depth = 0;
  const hasFiles = (event) => may("operator") && event.dataTransfer?.types.includes("Files");
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    zone.dataset.over = depth > 0;
  };
  end.listen(document, "dragenter", (event) => hasFiles(event) && mark(1));
  end.listen(document, "dragleave", (event) => hasFiles(event) && mark(-1));
  end.listen(document, "dragover", (event) => hasFiles(event) && event.preventDefault());
  end.listen(document, "drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    take([...event.dataTransfer.files]);
  });
}

async function drain() {
  if (queue.current) return;
  addEventListener("beforeunload", warn);
  while (queue.waiting.length) {
    queue.current = queue.waiting.shift();
    await queue.current.send();
  }
  queue.current = null;
  removeEventListener("beforeunload", warn);
}

function warn(event) {
  event.preventDefault(); // The browser asks whether to leave: the upload would be lost.
}

function canPlay(file) {
  // A container that this browser cannot show later needs the annotated copy for a picture.
  return !file.type || document.createElement("video").canPlayType(file.type) !== "";
}

function uploadRow(file, options) {
  const abort = new AbortController();
  const share = h("span", {});
  const meter = h(
    "div",
    {
      class: "meter",
      role: "progressbar",
      "aria-label": `Upload of ${file.name}`,
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    },
    share,
  );
  const said = h("span", { class: "faint figure" }, "waiting");
  const stop = h(
    "button",
    {
      class: "button plain small icon",
      type: "button",
      "aria-label": `Stop the upload of ${file.name}`,
      onclick: () => row.stop(),
    },
    icon("close", 16),
  );
  const body = h("div", { class: "sending-row" }, h("span", { class: "clip-text" }, file.name), said, stop, meter);
  const item = h("li", {}, body);
  sending.append(item);
  const row = {
    stop() {
      abort.abort();
      item.remove();
    },
    async send() {
      if (abort.signal.aborted) return;
      try {
        const job = await uploadVideo(file, { options, signal: abort.signal, onProgress });
        item.remove();
        queue.onJob(job);
      } catch (error) {
        if (error.name !== "AbortError") fail(error);
      }
    },
  };
  return row;

  function onProgress(done) {
    meter.style.setProperty("--share", `${100 * done}%`);
    meter.setAttribute("aria-valuenow", Math.round(100 * done));
    said.textContent = done < 1 ? `${bytes(done * file.size)} of ${bytes(file.size)}` : "checking the file";
  }

  function fail(error) {
    const box = problemBox(error, { title: `${file.name} was not taken` });
    const close = h("button", { class: "button small", type: "button", onclick: () => item.remove() }, "Close");
    box.append(h("div", {}, close));
    fill(item, box);
  }
}
