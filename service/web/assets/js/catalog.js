// What the service knows once and for all: the actions with their quality, and the joint layouts.
import { get } from "./api.js";

let loading = null;

/**
 * {actions: Map action → {quality, severity, threshold}, layouts: Map layout → {joints, edges}}; asked once per tab. A failed
 * part stays empty, so that a page still works without it, and is asked again next time.
 */
export async function loadCatalog() {
  loading ??= Promise.allSettled([get("/v1/actions"), get("/v1/layouts")]);
  const [actions, layouts] = await loading;
  if (actions.status === "rejected" || layouts.status === "rejected") loading = null;
  return {
    actions: new Map((actions.value?.items ?? []).map((item) => [item.action, item])),
    layouts: new Map((layouts.value?.items ?? []).map((item) => [item.layout, item])),
  };
}

/** Whether an action is known well enough to be relied on; null when the service does not say. */
export function qualityOf(catalog, action) {
  return catalog.actions.get(action)?.quality ?? null;
}
