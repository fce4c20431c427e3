// Looks at a camera's address once, before anything is added: a picture and what it is, or why there is none.
import { post } from "../api.js";
import { fill, h } from "../dom.js";
import { problemBox } from "../notify.js";

/**
 * A button and the place for what it finds. `asked()` gives the body of the request: {source, rotate, mirror}. Returns
 * {element, run(), clear()}.
 */
export function addressTest(asked) {
  const place = h("div", { class: "address-found", "aria-live": "polite" });
  const button = h("button", { class: "button", type: "button", onclick: () => run() }, "Test this address");
  let number = 0;
  return { element: h("div", { class: "address-test" }, button, place), run, clear };

  async function run() {
    const own = ++number;
    if (!asked().source.uri) {
      fill(place, h("p", { class: "faint" }, "Give an address first."));
      return;
    }
    button.disabled = true;
    fill(place, h("p", { class: "faint" }, "Looking, for a few seconds…"));
    try {
      const found = await post("/v1/cameras/test", asked());
      if (own === number) fill(place, foundBox(found));
    } catch (error) {
      if (own === number) fill(place, problemBox(error, { title: "Nothing can be seen there" }));
    } finally {
      button.disabled = false;
    }
  }

  function clear() {
    number += 1;
    fill(place);
  }
}

function foundBox(found) {
  const [width, height] = found.size;
  const rate = found.fps ? `${found.fps} pictures a second` : "rate unknown";
  return h(
    "figure",
    { class: "address-picture" },
    h("img", { src: `data:image/jpeg;base64,${found.picture}`, alt: "What the camera shows now" }),
    h(
      "figcaption",
      { class: "faint" },
      `${found.codec.toUpperCase()} ${width} × ${height}, ${rate}, first picture after ${found.opened_s} s.`,
      found.is_coarse ? " It is coarse because faces are not shown on this server." : null,
    ),
  );
}
