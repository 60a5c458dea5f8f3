/** The real hub with reminders, for tests: a hub of former times has none, and is asked for none. */
import { Hub } from "../hub";

/** An app with reminders, and a key to push with (RFC 8291, section 5), also to this machine. */
export const SETTINGS = {
  HUB__APP__TODO__REMINDERS__TASK: "task",
  HUB__APP__TODO__REMINDERS__REMIND_AT: "at",
  HUB__PUSH__PRIVATE_KEY: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  HUB__PUSH__CONTACT: "mailto:ada@example.com",
  HUB__PUSH__PRIVATE: "true",
};

/** One that has reminders says of an app without any that it does not know it. */
export async function hasReminders(): Promise<boolean> {
  const hub = await Hub.start();
  try {
    const headers = { authorization: `Bearer ${await hub.token("probe")}` };
    const answer = await fetch(`${hub.url}/api/v1/devices?app=todo`, { headers });
    const { code } = (await answer.json().catch(() => ({}))) as { code?: string };
    return code === "app_unknown";
  } finally {
    await hub.stop();
  }
}
