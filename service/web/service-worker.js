// Shows what is pushed to this browser while no page is open, and opens the page when somebody taps it.

self.addEventListener("push", (event) => {
  event.waitUntil(show(event.data));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.path ?? "#/events"));
});

async function show(data) {
  let told = {};
  try {
    told = data?.json() ?? {};
  } catch {
    // A browser demands that every push shows something.
  }
  const isAlarm = told.severity === "alarm";
  await self.registration.showNotification(told.title ?? "Actogram", {
    body: told.body ?? "Something happened.",
    tag: told.tag,
    renotify: Boolean(told.tag),
    requireInteraction: isAlarm,
    icon: "assets/icon-192.png",
    badge: "assets/icon-192.png",
    vibrate: isAlarm ? [200, 100, 200, 100, 400] : [100],
    data: { path: told.path ?? "#/events" },
  });
}

async function open(path) {
  const wanted = new URL(path, self.registration.scope).href;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = windows.find((one) => one.url.startsWith(self.registration.scope));
  if (!page) return self.clients.openWindow(wanted);
  await page.focus();
  return page.navigate?.(wanted).catch(() => self.clients.openWindow(wanted));
}
