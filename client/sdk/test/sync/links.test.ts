/** What a network or a broken hub does to a link ends it, and is no error of the page. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HttpLink } from "../../src/sync/http";
import type { Ended, Hello } from "../../src/sync/link";
import { WebSocketLink } from "../../src/sync/websocket";

const hello: Hello = {
  app: "todo",
  client: "c-1",
  token: "t",
  confirmed: 0,
  epoch: null,
  tables: null,
  position: { cursor: { epoch: "e", seq: 1 }, next: null, backfill: [] },
};

const unhandled: unknown[] = [];
const keep = (error: unknown) => void unhandled.push(error);
// In place of the listeners of who runs the tests, which would take each for a failure.
let others: NodeJS.UnhandledRejectionListener[];
beforeEach(() => {
  others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", keep);
});
afterEach(() => {
  process.off("unhandledRejection", keep);
  for (const other of others) process.on("unhandledRejection", other);
  unhandled.length = 0;
});

/** Node tells of a rejection that nobody handles after the microtasks of a turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test.each([
  ["that is not answered in time", () => Promise.reject(new DOMException("", "TimeoutError"))],
  ["without a network", () => Promise.reject(new TypeError("Failed to fetch"))],
  ["whose answer breaks off", async () => new Response('{"epoch":"e","fro'), "protocol"],
])("a request %s ends polling", async (_, answer, code?: string) => {
  const ended = await new Promise<Ended>((resolve) => {
    const position = async () => hello.position;
    const events = { message: async () => {}, ended: resolve };
    new HttpLink(answer, "http://hub", hello, events, { interval: 1_000, position });
  });
  expect(ended).toEqual(code ? { is: "lost", code, message: expect.any(String) } : { is: "lost" });
  await turn();
  expect(unhandled).toEqual([]);
});

test("a large push over HTTP has the time of the slowest line there may be", async () => {
  const timeout = vi.spyOn(AbortSignal, "timeout");
  const position = async () => hello.position;
  const asked: string[] = [];
  await new Promise<Ended>((ended) => {
    const events = { message: async () => {}, ended };
    const answer = async (url: unknown) => {
      asked.push(String(url));
      if (String(url).endsWith("/push")) throw new TypeError("as far as this goes");
      return Response.json({ epoch: "e", from: 1, to: 1, head: 1, changes: [] });
    };
    const link = new HttpLink(answer, "http://hub", hello, events, { interval: 1e6, position });
    const fields = { title: { value: "x".repeat(400 << 10), updatedAt: "" } };
    link.push([{ m: 1, changes: [{ table: "t", id: "k", op: "update", fields }] }]);
  });
  const [look, push] = timeout.mock.calls.map(([ms]) => ms) as [number, number];
  expect(asked).toHaveLength(2);
  expect(push - look).toBeGreaterThanOrEqual(100_000);
  timeout.mockRestore();
});

test("a message that cannot be read ends a socket", async () => {
  let socket!: { onmessage(event: { data: string }): void };
  class Socket {
    readyState = 1;
    bufferedAmount = 0;
    constructor() {
      socket = this as never;
    }
    send(): void {}
    close(): void {}
  }
  const ended = await new Promise<Ended>((resolve) => {
    const events = { message: async () => {}, ended: resolve };
    new WebSocketLink(Socket as unknown as typeof WebSocket, "http://hub", hello, events);
    for (const data of ["{", '{"t":"pong"}']) socket.onmessage({ data });
  });
  expect(ended).toMatchObject({ is: "lost", code: "protocol" });
  await turn();
  expect(unhandled).toEqual([]);
});

test("an error of the program is not hidden", async () => {
  const fault = new RangeError("a fault of ours");
  await new Promise<Ended>((resolve) => {
    const position = () => Promise.reject(fault);
    const events = { message: async () => {}, ended: resolve };
    const never = () => new Promise<Response>(() => {});
    new HttpLink(never, "http://hub", hello, events, { interval: 1_000, position });
  });
  await turn();
  expect(unhandled).toEqual([fault]);
});
