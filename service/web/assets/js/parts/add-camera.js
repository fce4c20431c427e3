// The dialog that adds a camera: by its address, or the one in this device.
import { ApiError, get, post } from "../api.js";
import { field, formDialog } from "../dialog.js";
import { fill, h, nextId } from "../dom.js";
import { askForCamera, hasWebcam, startWebcam } from "../webcam.js";
import { addressTest } from "./address-test.js";
import { cameraFinder } from "./camera-finder.js";

/** Ask and add; resolves to the new stream, or null when the person closed the dialog. */
export async function addCamera() {
  const name = h("input", {
    name: "name",
    required: true,
    maxlength: "64",
    autocomplete: "off",
    placeholder: "Loading dock",
  });
  const uri = h("input", {
    name: "uri",
    autocomplete: "off",
    spellcheck: "false",
    inputmode: "url",
    placeholder: "rtsp://user:password@camera.local/stream1",
  });
  const transport = h(
    "select",
    { name: "transport" },
    h("option", { value: "tcp" }, "TCP"),
    h("option", { value: "udp" }, "UDP"),
  );
  const fps = h("input", {
    name: "fps",
    type: "number",
    min: "1",
    max: "60",
    step: "1",
    value: "15",
    inputmode: "numeric",
  });
  const tested = addressTest(() => ({ source: { uri: uri.value.trim(), transport: transport.value } }));
  uri.addEventListener("input", tested.clear);
  const finder = cameraFinder((stream) => {
    uri.value = stream.uri;
    name.value ||= stream.camera;
    tested.clear();
    tested.run();
  });
  const byAddress = h(
    "div",
    { class: "fields" },
    finder.element,
    field("Address", uri, "RTSP, RTMP, HLS, HTTP or a file. A password in it is kept and never shown again."),
    h(
      "div",
      { class: "fields two" },
      field("RTSP transport", transport),
      field("Pictures a second", fps, "15 is enough for every action."),
    ),
    tested.element,
  );
  const byWebcam = h(
    "div",
    { hidden: true },
    h(
      "p",
      { class: "quiet" },
      hasWebcam()
        ? "The browser will ask before it opens the camera. Pictures go to this server only, as long as this tab is open."
        : "This browser gives out its camera only on https or on the machine itself. Open the page there, or give an address.",
    ),
  );
  const kind = kindSwitch((chosen) => {
    byAddress.hidden = chosen !== "address";
    byWebcam.hidden = chosen !== "webcam";
    uri.required = chosen === "address";
  });
  const room = h("p", { class: "faint" });
  showRoom(room);
  return formDialog({
    title: "Add a camera",
    yes: "Add",
    fields: [kind.element, field("Name", name), byAddress, byWebcam, room],
    submit: () => (kind.value() === "address" ? addAddress(name, uri, transport, fps) : addWebcam(name)),
  });
}

function addAddress(name, uri, transport, fps) {
  return post("/v1/streams", {
    name: name.value.trim(),
    source: { uri: uri.value.trim(), transport: transport.value },
    analysis: { fps: Number(fps.value) },
  });
}

async function addWebcam(name) {
  if (!hasWebcam())
    throw new ApiError("No camera can be opened on this page: it needs https, or the machine itself.", {
      title: "No camera",
    });
  let media;
  try {
    media = await askForCamera();
  } catch (error) {
    throw new ApiError(
      error.name === "NotAllowedError"
        ? "The browser was told not to open the camera."
        : `The camera did not open: ${error.message}`,
      { title: "No camera" },
    );
  }
  try {
    const stream = await post("/v1/streams", {
      name: name.value.trim(),
      source: { uri: "push:" },
      analysis: { fps: 12 },
      drop_policy: "latest_only",
    });
    await startWebcam(stream.stream_id, media, 12);
    return stream;
  } catch (error) {
    media.getTracks().forEach((track) => track.stop());
    throw error;
  }
}

function kindSwitch(changed) {
  const group = nextId("kind");
  const option = (value, label, isFirst) =>
    h(
      "label",
      { class: "check" },
      h("input", { type: "radio", name: group, value, checked: isFirst, onchange: () => changed(value) }),
      label,
    );
  const element = h(
    "fieldset",
    { class: "kinds" },
    h("legend", { class: "unseen" }, "Where the pictures come from"),
    option("address", "By its address", true),
    option("webcam", "This device’s camera", false),
  );
  changed("address");
  return { element, value: () => element.querySelector("input:checked").value };
}

async function showRoom(room) {
  try {
    const capacity = await get("/v1/capacity");
    if (Number.isFinite(capacity.free_slots))
      fill(room, `Room for ${capacity.free_slots} more at 15 pictures a second: ${capacity.why}.`);
  } catch {
    room.hidden = true; // The answer to the POST says it when there is none.
  }
}
