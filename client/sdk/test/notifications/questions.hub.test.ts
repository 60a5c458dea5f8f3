/**
 * The same questions, asked of the real hub, where it knows them: one that does says of an app without
 * reminders that it does not know it.
 */
import { afterAll, beforeAll, describe } from "vitest";
import { Hub } from "../hub";
import { answersQuestions } from "./questions";

/** An app with reminders, and a key to push with (RFC 8291, section 5). Nothing is sent. */
const SETTINGS = {
  HUB__APP__TODO__REMINDERS__TASK: "task",
  HUB__PUSH__PRIVATE_KEY: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  HUB__PUSH__CONTACT: "mailto:ada@example.com",
};

async function knowsQuestions(): Promise<boolean> {
  const hub = await Hub.start();
  const headers = { authorization: `Bearer ${await hub.token("probe")}` };
  const answer = await fetch(`${hub.url}/api/v1/devices?app=todo`, { headers });
  const { code } = (await answer.json().catch(() => ({}))) as { code?: string };
  await hub.stop();
  return code === "app_unknown";
}

describe.skipIf(!(await knowsQuestions()))("of the real hub", () => {
  let hub: Hub;
  beforeAll(async () => {
    hub = await Hub.start(SETTINGS);
  });
  afterAll(() => hub.stop());
  answersQuestions(async (user) => ({
    serverUrl: hub.url,
    app: "todo",
    token: await hub.token(user),
  }));
});
