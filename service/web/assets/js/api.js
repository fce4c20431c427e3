// Calls to the service: JSON in and out, problems as ApiError; a cookie proves who asks.
import { address } from "./dom.js";

/** What the service refused and why: `status`, a stable `code`, a `title` and a text that names the thing. */
export class ApiError extends Error {
  constructor(text, { status = 0, code = "", title = null, retryAfter = null } = {}) {
    super(text);
    Object.assign(this, { status, code, title, retryAfter });
  }
}

/** Who the service takes this browser for: {name, role, access: "open" | "key"}. Raises ApiError. */
export function whoAmI() {
  return get("/v1/session");
}

/** Show a key once; from then on the browser's cookie carries it, to the player and the sockets too. */
export function signIn(key) {
  return call("POST", "/v1/session", { headers: { Authorization: `Bearer ${key}` } });
}

/** Forget the cookie. */
export function signOut() {
  return remove("/v1/session");
}

/** Ask and return the parsed answer (null for 204). Raises ApiError. */
export async function call(method, path, { json, signal, headers = {} } = {}) {
  const response = await send(method, path, { json, signal, headers });
  if (response.status === 204) return null;
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** Ask and return the response as it streams. Raises ApiError. */
export async function send(method, path, { json, signal, headers = {} } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (json !== undefined) all["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path), {
      method,
      headers: all,
      signal,
      body: json === undefined ? undefined : JSON.stringify(json),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is it still running?", {
      code: "unreachable",
      title: "No connection",
    });
  }
  if (!response.ok) throw problem(response.status, await response.text(), response.headers.get("Retry-After"));
  return response;
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, json, options) =>
  call("POST", path, { json, headers: { "Idempotency-Key": unique() }, ...options });
export const patch = (path, json) => call("PATCH", path, { json });
export const put = (path, json) => call("PUT", path, { json });
export const remove = (path) => call("DELETE", path);

/** The items of one page of a list and the cursor of the next, or null. */
export async function page(path, signal) {
  const answer = await get(path, { signal });
  if (Array.isArray(answer)) return { items: answer, next: null };
  return { items: answer.items ?? [], next: answer.next_cursor ?? null };
}

/** An ApiError from a problem document, or from whatever else a proxy put in its place. */
export function problem(status, body, retryAfter = null) {
  let parsed = {};
  try {
    parsed = JSON.parse(body) ?? {};
  } catch {
    // A proxy's HTML page: the status has to do.
  }
  if (status === 401) dispatchEvent(new Event("keyneeded"));
  if (status === 403) dispatchEvent(new Event("refused"));
  const text = typeof parsed.detail === "string" ? parsed.detail : (parsed.title ?? `The server answered ${status}.`);
  return new ApiError(text, { status, code: parsed.code ?? `http_${status}`, title: parsed.title ?? null, retryAfter });
}

/** A new idempotency key; works on plain http too, where crypto.randomUUID does not exist. */
export function unique() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The absolute WebSocket address of a path. */
export function socketUrl(path) {
  return new URL(address(path), location.href.replace(/^http/, "ws")).href;
}
