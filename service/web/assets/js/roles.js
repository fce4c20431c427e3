// What the role of whoever looks at this page may do: a control that it may not use is not offered.
import { whoAmI } from "./api.js";
import { h } from "./dom.js";

const RANKS = ["viewer", "operator", "admin"];
const root = document.documentElement;
let asked = null;

/**
 * Ask the service who this browser is: {name, role, access}, or null where it takes it for nobody. The role is marked on the
 * document, and the style sheet goes by it, so that pages that are open already follow a change.
 */
export function loadRole() {
  asked = whoAmI().then(
    (who) => {
      root.dataset.role = who.role;
      return who;
    },
    (error) => {
      if (error.status === 401) delete root.dataset.role; // Any other fault says nothing of the role.
      return null;
    },
  );
  return asked;
}

/** Who was found when last asked. */
export function knownRole() {
  return (asked ??= loadRole());
}

/** Whether the role is at least this one; false while it is not known. */
export function may(role) {
  return RANKS.indexOf(root.dataset.role) >= RANKS.indexOf(role);
}

/** What marks an element that is there only for a role and those above it: props for `h`. */
export function needs(role) {
  return { dataset: { needs: role } };
}

/** A sentence for those whose role is too low, in place of controls that they do not get. */
export function lacking(role, text) {
  return h("p", { class: "faint lacking", dataset: { lacks: role } }, text);
}
