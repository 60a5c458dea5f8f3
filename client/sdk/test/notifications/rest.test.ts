/** Questions about notifications over HTTP: what is asked, and what becomes of every kind of answer. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { devices, history, removeDevice, type HubAccess } from "../../src/notifications/index";
import { answersQuestions } from "./questions";
import { NotificationServer } from "./server";

describe("over HTTP", () => {
  let server: NotificationServer;
  beforeAll(async () => {
    server = await NotificationServer.start();
  });
  afterAll(() => server.stop());
  const access = (token: HubAccess["token"]): HubAccess => ({
    serverUrl: `${server.url}/`,
    app: "todo",
    token,
  });

  answersQuestions(async (user) => access(user));

  test("a history is had in parts, the newest first", async () => {
    const told = ["1", "2", "3"].map((n) => ({ id: `179551440000${n}-0123456789abcdef` }));
    server.of("told").told = told;
    const first = await history(access("told"), { limit: 2 });
    expect(first.notifications).toEqual([told[2], told[1]]);
    const rest = await history(access("told"), { limit: 2, before: first.next! });
    expect(rest).toEqual({ notifications: [told[0]], next: null });
  });

  test("an id is part of a path, whatever is in it", async () => {
    await expect(removeDevice(access("odd"), "a b")).rejects.toMatchObject({
      code: "device_unknown",
    });
    expect(server.asked.at(-1)).toBe("DELETE /api/v1/devices/a%20b?app=todo");
  });

  test("a token that is refused is asked for once more, and a text is not", async () => {
    const asked: boolean[] = [];
    const token = ({ refused }: { refused: boolean }) => {
      asked.push(refused);
      return refused ? "ada" : "refused";
    };
    expect((await devices(access(token))).devices).toEqual([]);
    expect(asked).toEqual([false, true]);
    const before = server.asked.length;
    await expect(devices(access("refused"))).rejects.toMatchObject({ code: "token_invalid" });
    expect(server.asked.length).toBe(before + 1);
    const always = () => "refused";
    await expect(devices(access(always))).rejects.toMatchObject({ code: "token_invalid" });
    expect(server.asked.length).toBe(before + 3);
  });

  test.each([
    ["token_missing", () => null],
    ["token_failed", () => Promise.reject(new Error("no"))],
    ["unreachable", () => Promise.reject(new TypeError("Failed to fetch"))],
  ])("%s is what becomes of an app that gives no token so", async (code, token) => {
    await expect(devices(access(token))).rejects.toMatchObject({ name: "SynclineError", code });
  });

  test.each([
    ["unreachable", 502, "<h1>Bad gateway</h1>"],
    ["unreachable", 503, ""],
    ["protocol", 404, "<h1>Not found</h1>"],
    ["protocol", 200, "<h1>Welcome</h1>"],
    ["protocol", 200, { devices: "none" }],
    ["protocol", 200, "null"],
    ["protocol", 204, ""],
    ["shutting_down", 503, { code: "shutting_down", message: "come back" }],
  ])("%s is what becomes of an answer %s %j", async (code, status, body) => {
    server.next.push([status, body]);
    await expect(devices(access("ada"))).rejects.toMatchObject({ code });
  });

  test("without a network the hub is unreachable", async () => {
    const away = { ...access("ada"), serverUrl: "http://127.0.0.1:1" };
    await expect(devices(away)).rejects.toMatchObject({ code: "unreachable" });
  });
});
