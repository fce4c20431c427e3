// Web Push of this browser: whether it can, whether it is on, on and off.
import { call, get, post, remove } from "./api.js";

const STORED = "actogram-push";

/** Why this browser cannot be told while the page is closed; empty when it can. */
export function whyNoPush() {
  if (!globalThis.isSecureContext) return "Browsers allow it on https:// pages and on localhost only.";
  if (!("serviceWorker" in navigator) || !("PushManager" in globalThis)) {
    return "This browser cannot. On an iPhone, add the page to the home screen first.";
  }
  if (globalThis.Notification?.permission === "denied") return "Notifications of this page are blocked in the browser.";
  return "";
}

/** The destination that this browser is, or null. */
export function ownDestination() {
  return localStorage.getItem(STORED);
}

/** Turn it on: asks the person, then the browser's push service, then ours. Gives the destination. */
export async function turnOn(wishes) {
  const worker = await registration();
  if ((await Notification.requestPermission()) !== "granted") throw new Error("Notifications were not allowed.");
  const { public_key: key } = await get("/v1/push_key");
  const subscription = await subscribe(worker, bytesOf(key));
  const made = await post("/v1/push_subscriptions", { ...wishes, subscription: subscription.toJSON() });
  localStorage.setItem(STORED, made.destination_id);
  return made;
}

/** Turn it off, here and at the server. */
export async function turnOff() {
  const id = ownDestination();
  const worker = await navigator.serviceWorker.getRegistration();
  await (await worker?.pushManager.getSubscription())?.unsubscribe();
  localStorage.removeItem(STORED);
  if (!id) return;
  try {
    await remove(`/v1/push_subscriptions/${id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/** Send this browser a message; gives how that went. */
export function testOwn() {
  return call("POST", `/v1/push_subscriptions/${ownDestination()}/test`);
}

async function registration() {
  await navigator.serviceWorker.register("service-worker.js", { scope: "./" });
  return navigator.serviceWorker.ready;
}

async function subscribe(worker, applicationServerKey) {
  const wanted = { userVisibleOnly: true, applicationServerKey };
  try {
    return await worker.pushManager.subscribe(wanted);
  } catch (error) {
    // One that was made with another server's key stands in the way.
    const known = await worker.pushManager.getSubscription();
    if (!known) throw error;
    await known.unsubscribe();
    return worker.pushManager.subscribe(wanted);
  }
}

function bytesOf(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}
