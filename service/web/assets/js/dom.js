// Elements from plain calls; whatever a user supplied becomes text, never markup.

/**
 * Make an element. `props`: `class`, `dataset`, `style` (custom properties too), `on<event>` functions, other
 * attributes (`href` and `src` as `address` has them); true gives an empty attribute, false and null give none.
 * Children: nodes, text, arrays, null.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProp(element, name, value);
  element.append(...flat(children));
  return element;
}

/** A path of the service as an address of this page, which may lie below a path of its host. */
export function address(path) {
  return path.startsWith("/") ? path.slice(1) || "./" : path;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** Say something once to a screen reader without moving the focus. */
export function announce(text) {
  document.getElementById("polite").textContent = text;
}

/** A short identity that is unique in this tab. */
export function nextId(prefix) {
  nextId.count = (nextId.count ?? 0) + 1;
  return `${prefix}-${nextId.count}`;
}

/** Run `work` at most once per animation frame; returns the function to call. */
export function oncePerFrame(work) {
  let pending = 0;
  return () => {
    if (pending) return;
    pending = requestAnimationFrame(() => {
      pending = 0;
      work();
    });
  };
}

/** Run `work` soon, at most every `waitMs`, never missing the last call; returns the function to call. */
export function atMostEvery(waitMs, work) {
  let timer = 0;
  let ranAt = -Infinity;
  const run = () => {
    timer = 0;
    ranAt = performance.now();
    work();
  };
  return () => {
    if (!timer) timer = setTimeout(run, Math.max(0, ranAt + waitMs - performance.now()));
  };
}

/** Collects clean-up functions and runs them once, last first. */
export function closers() {
  const held = [];
  return {
    add(close) {
      held.push(close);
    },
    listen(target, event, handler, options) {
      target.addEventListener(event, handler, options);
      held.push(() => target.removeEventListener(event, handler, options));
    },
    close() {
      while (held.length) held.pop()();
    },
  };
}

function setProp(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "class") element.className = value;
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name === "style") for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
  else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "muted") element[name] = value;
  else if (name === "href" || name === "src") element.setAttribute(name, address(value));
  else element.setAttribute(name, value === true ? "" : value);
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
