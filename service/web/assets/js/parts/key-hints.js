// The keys of the player, for those who have a keyboard.
import { h } from "../dom.js";

/** A list of keys and what they do; hidden on touch screens. */
export function keyHints() {
  const hint = (keys, text) =>
    h(
      "div",
      {},
      h(
        "dt",
        {},
        keys.map((key) => h("kbd", {}, key)),
      ),
      h("dd", {}, text),
    );
  return h(
    "dl",
    { class: "hints", "aria-label": "Keys" },
    hint(["space"], "play, pause"),
    hint([",", "."], "one frame"),
    hint(["←", "→"], "a second, on the timeline"),
  );
}
