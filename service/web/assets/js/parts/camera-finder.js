// Finds the ONVIF cameras of the server's network, asks one for its streams, and hands one of these over.
import { post } from "../api.js";
import { field } from "../dialog.js";
import { fill, h } from "../dom.js";
import { problemBox } from "../notify.js";

/** A folded part of the dialog; `onStream({uri, camera})` gets what was chosen, its login in it. Returns {element}. */
export function cameraFinder(onStream) {
  const place = h("div", { "aria-live": "polite" });
  const search = h("button", { class: "button", type: "button", onclick: () => run() }, "Search the network");
  const user = h("input", { autocomplete: "off", spellcheck: "false" });
  const password = h("input", { type: "password", autocomplete: "new-password" });
  const login = () => (user.value ? { user: user.value, password: password.value } : {});
  const element = h(
    "details",
    { class: "overrides" },
    h("summary", {}, "Find cameras"),
    h(
      "div",
      { class: "fields" },
      h("p", { class: "hint" }, "The server asks its own network which ONVIF cameras are there. Nothing is sent elsewhere."),
      h(
        "div",
        { class: "fields two" },
        field("User of the camera", user),
        field("Its password", password, "Sent to the camera as a digest, and kept with the camera you add."),
      ),
      h("div", {}, search),
      place,
    ),
  );
  return { element };

  async function run() {
    search.disabled = true;
    fill(place, h("p", { class: "faint" }, "Listening for three seconds…"));
    try {
      const found = await post("/v1/cameras/search", { wait_s: 3 });
      fill(place, list(found));
    } catch (error) {
      fill(place, problemBox(error, { title: "The network was not searched" }));
    } finally {
      search.disabled = false;
    }
  }

  function list({ items, refused }) {
    const more = refused ? h("p", { class: "faint" }, `${refused} more from a network where cameras are not allowed.`) : null;
    if (!items.length) return [h("p", { class: "faint" }, "No camera answered. Not every camera speaks ONVIF."), more];
    return [h("ul", { class: "found-cameras", "aria-label": "Cameras found" }, items.map(row)), more];
  }

  function row(camera) {
    const said = [camera.hardware, camera.location].filter(Boolean).join(", ");
    const streams = h("div", {});
    const ask = h("button", { class: "button small", type: "button", onclick: () => askFor(camera, streams, ask) }, "Streams");
    return h(
      "li",
      {},
      h("div", { class: "found-camera" }, h("strong", {}, camera.name || camera.host), ask),
      h("span", { class: "faint" }, [camera.host, said].filter(Boolean).join(" · ")),
      streams,
    );
  }

  async function askFor(camera, place, button) {
    button.disabled = true;
    fill(place, h("p", { class: "faint" }, "Asking…"));
    try {
      const { streams } = await post("/v1/cameras/streams", { address: camera.address, ...login() });
      fill(place, streams.length ? streams.map((stream) => choice(camera, stream)) : "It offers no stream that may be opened.");
    } catch (error) {
      fill(place, problemBox(error, { title: "The camera does not say" }));
    } finally {
      button.disabled = false;
    }
  }

  function choice(camera, stream) {
    const facts = [stream.codec.toUpperCase(), stream.size?.join(" × "), stream.fps ? `${stream.fps}/s` : null];
    const take = () => onStream({ uri: withLogin(stream.uri, login()), camera: camera.name || camera.host });
    return h(
      "button",
      { class: "button small found-stream", type: "button", onclick: take },
      `${stream.name}: ${facts.filter(Boolean).join(", ")}`,
    );
  }
}

function withLogin(uri, { user, password }) {
  if (!user) return uri;
  return uri.replace("://", `://${encodeURIComponent(user)}:${encodeURIComponent(password)}@`);
}
