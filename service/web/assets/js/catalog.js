// What the service knows once and for all: the actions with their quality, and the joint layouts.
import { get, page } from "./api.js";

let loading = null;

/**
 * {actions: Map label → {label, quality, severity}, layouts: Map name → {joints, edges}}; asked once per tab. A failed
 * part stays empty, so that a page still works without it, and is asked again next time.
 */
export async function loadCatalog() {
  loading ??= Promise.allSettled([page("/v1/actions?limit=200"), get("/v1/layouts")]);
  const [actions, layouts] = await loading;
  if (actions.status === "rejected" || layouts.status === "rejected") loading = null;
  return {
    actions: new Map((actions.value?.items ?? []).map((item) => [labelOf(item), { ...item, label: labelOf(item) }])),
    layouts: readLayouts(layouts.value),
  };
}

/** Whether an action is known well enough to be relied on; null when the service does not say. */
export function qualityOf(catalog, action) {
  return catalog.actions.get(action)?.quality ?? null;
}

function labelOf(item) {
  return item.label ?? item.name ?? item.action ?? item.id;
}

function readLayouts(answer) {
  const items = answer?.items ?? (Array.isArray(answer) ? answer : Object.entries(answer ?? {}).map(([name, item]) => ({ name, ...item })));
  return new Map(items.map((item) => [item.name, { joints: item.joints ?? [], edges: item.edges ?? [] }]));
}
