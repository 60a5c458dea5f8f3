/** The questions of `questions.ts`, asked of the real hub. */
import { afterAll, beforeAll, describe } from "vitest";
import { Hub } from "../hub";
import { SETTINGS } from "./hub";
import { answersQuestions } from "./questions";

describe("of the real hub", () => {
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
