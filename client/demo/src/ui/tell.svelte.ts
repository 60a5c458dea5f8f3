/** Tells in the page what the hub tells, and keeps this device told while there is no page. */
import { keepPush, notices, type NotificationRecord } from "@syncline/sdk/notifications";
import { hubOf, pushOf } from "../todo/push";
import type { App } from "./app.svelte";
import type { Worker } from "./notifying.svelte";

/** Called while the page is set up. */
export function tell(app: App, worker: Worker): void {
  const { store, told, serverUrl } = app.todo;

  /** Beside a page that nobody sees, as a push would be; else in it. */
  async function show({ id, kind, title, body, language, items }: NotificationRecord) {
    const mayBeside = "Notification" in window && Notification.permission === "granted";
    const registration = document.hidden && mayBeside ? await worker : null;
    if (!registration) return app.say(title);
    await registration.showNotification(title, {
      body,
      lang: language,
      tag: id,
      icon: "./icon.svg",
      data: { app: app.name, id, kind, items },
    });
  }

  $effect(() =>
    notices({
      app: app.name,
      store,
      records: told,
      show: (notification) => void show(notification).catch(() => app.say(notification.title)),
    }),
  );
  $effect(() => {
    const { account } = app.era;
    if (account === null) return;
    let end = () => {};
    let isOver = false;
    void worker?.then((registration) => {
      if (registration && !isOver) end = keepPush(pushOf(hubOf(account, serverUrl), registration));
    });
    return () => {
      isOver = true;
      end();
    };
  });
}
