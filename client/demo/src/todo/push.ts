/** Being told while Todo is closed: for which account, by which hub, and how this device is called there. */
import { todo as app } from "@syncline/apps/todo";
import { unregisterPush, type HubAccess, type PushOptions } from "@syncline/sdk/notifications";
import { token } from "./account";

export const hubOf = (account: string, serverUrl: string): HubAccess => ({
  serverUrl,
  app: app.id,
  token: () => token(account),
});

export const pushOf = (hub: HubAccess, registration: ServiceWorkerRegistration): PushOptions => ({
  ...hub,
  registration,
  name: nameOf(navigator),
  language: navigator.language || undefined,
});

/** What is known of a device without asking. */
type About = Navigator & { userAgentData?: { platform?: string } };

const nameOf = ({ userAgentData, platform }: About): string =>
  `Todo on ${userAgentData?.platform || platform || "a device"}`;

/** The account was left: what is for it is not to be shown here. The hub may be told of it later. */
export async function endPush(hub: HubAccess): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration) await unregisterPush(pushOf(hub, registration));
}
