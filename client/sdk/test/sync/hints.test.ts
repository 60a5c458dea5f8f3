/** What a hub asks for, and what a connection that is none does: each as one part of the engine sees it. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, expect, test, vi } from "vitest";
import { NEW_REPLICA } from "../../src/core/copy";
import type { HubMessage, Mutation } from "../../src/core/wire";
import { Database, newClient } from "../../src/storage/database";
import { Lead } from "../../src/storage/lead";
import { surroundings } from "../../src/surroundings";
import { Connector } from "../../src/sync/connector";
import { Conversation, type Parts } from "../../src/sync/conversation";
import type { Ended, Hello } from "../../src/sync/link";
import { WebSocketLink } from "../../src/sync/websocket";
import { passes } from "../eventually";

afterEach(() => void vi.useRealTimers());

const hello: Hello = {
  app: "todo",
  client: "c-1",
  token: "t",
  confirmed: 0,
  epoch: null,
  tables: null,
  position: { cursor: { epoch: "e", seq: 1 }, next: null, backfill: [] },
};

/** A socket that the test speaks for. */
function socket() {
  const sent: { t: string }[] = [];
  const ended: Ended[] = [];
  let made!: Socket & { onmessage(event: object): void; onclose(event: object): void };
  class Socket {
    readyState = 1;
    /** Bytes given to it that have not left. */
    bufferedAmount = 0;
    constructor() {
      made = this as never;
    }
    send(text: string): void {
      sent.push(JSON.parse(text) as { t: string });
      this.bufferedAmount += text.length;
    }
    close(): void {}
  }
  const events = { message: async () => {}, ended: (why: Ended) => void ended.push(why) };
  const link = new WebSocketLink(Socket as unknown as typeof WebSocket, "http://h", hello, events);
  const says = (message: object) => made.onmessage({ data: JSON.stringify(message) });
  const closes = (code = 4010) => made.onclose({ code, reason: "draining" });
  const leaves = (bytes = Infinity) =>
    (made.bufferedAmount = Math.max(0, made.bufferedAmount - bytes));
  return { link, sent, ended, says, closes, leaves };
}

test("a hub that goes says when it wants to be asked again", async () => {
  const { ended, says, closes } = socket();
  says({ t: "reconnect", after_ms: 4_213 });
  closes();
  await passes(() => expect(ended).toEqual([{ is: "lost", after: 4_213 }]));
});

test("a hub that waited too long for a push says so", async () => {
  const { ended, closes } = socket();
  closes(4008);
  await passes(() => expect(ended).toEqual([{ is: "lost", slow: true }]));
});

/** A push of about so many bytes. */
const pushOf = (bytes: number): Mutation[] => [
  { m: 1, changes: [{ table: "t", id: "x".repeat(bytes), op: "delete", deletedAt: "" }] },
];

test("a socket is not given up while what was sent still leaves, and has the time of the rest", async () => {
  vi.useFakeTimers();
  const { link, sent, ended, says, leaves } = socket();
  says({ t: "pong" });
  link.push(pushOf(1 << 20));
  for (let second = 0; second < 256; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    leaves(4 << 10);
  }
  expect(sent.filter(({ t }) => t === "ping")).toHaveLength(1);
  leaves();
  // What is below may hold all of it.
  await vi.advanceTimersByTimeAsync(250_000);
  expect(ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ended).toEqual([{ is: "lost" }]);
});

test("a socket that takes nothing more of a push is given up", async () => {
  vi.useFakeTimers();
  const { link, ended, says, leaves } = socket();
  says({ t: "pong" });
  link.push(pushOf(1 << 20));
  leaves(64 << 10);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(ended).toEqual([{ is: "lost" }]);
});

test("a socket that took a small push and says nothing is given up as early as one that took none", async () => {
  vi.useFakeTimers();
  const { link, ended, says, leaves } = socket();
  says({ t: "pong" });
  link.push(pushOf(100));
  leaves();
  await vi.advanceTimersByTimeAsync(36_000);
  expect(ended).toEqual([{ is: "lost" }]);
});

test("a socket that says nothing is asked, and given up if it does not answer", async () => {
  vi.useFakeTimers();
  const { sent, ended, says, leaves } = socket();
  for (let turn = 1; turn <= 3; turn++) {
    leaves();
    says({ t: "pong" });
    await vi.advanceTimersByTimeAsync(25_000);
    expect(sent).toHaveLength(turn);
  }
  expect(sent.every(({ t }) => t === "ping")).toBe(true);
  expect(ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ended).toEqual([{ is: "lost" }]);
});

test("a socket that never opens is given up", async () => {
  vi.useFakeTimers();
  const { ended } = socket();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(ended).toEqual([{ is: "lost" }]);
});

/** Which sockets, in their order, had a welcome, ended in a push, and were ended by the hub. */
interface Fates {
  welcome: number[];
  stuck: number[];
  refused?: number[];
}

/** How it is asked where all sockets end. */
async function attempts({ welcome, stuck, refused = [] }: Fates) {
  let opened = 0;
  let welcomed = () => {};
  class Socket {
    bufferedAmount = 0;
    onclose: ((event: object) => void) | undefined;
    constructor() {
      if (welcome.includes(++opened)) welcomed();
      const code = refused.includes(opened) ? 4001 : 1006;
      setImmediate(() => this.onclose?.({ code, reason: "" }));
    }
    close(): void {}
  }
  const asked: string[] = [];
  await new Promise<void>((polls) => {
    const around = surroundings({
      WebSocket: Socket as unknown as typeof WebSocket,
      random: () => 0,
      events: undefined,
    });
    const polling = { interval: 1_000, position: async () => hello.position };
    const connector = new Connector({ url: "http://h", transport: "auto", polling }, around, {
      hello: async (over) => {
        asked.push(over);
        if (over === "http") throw new Error("as far as this goes");
        return hello;
      },
      message: async () => {},
      isStuck: () => stuck.includes(opened),
      dropped: () => {},
      ended: () => {},
      failed: () => {
        connector.stop();
        polls();
      },
    });
    welcomed = () => connector.welcomed();
    connector.start();
  });
  return asked;
}

const sockets = (count: number) => Array<string>(count).fill("websocket");

test("where no socket gets a welcome it is polled, and one that did counts for nothing", async () => {
  const asked = await attempts({ welcome: [2], stuck: [] });
  expect(asked).toEqual([...sockets(5), "http"]);
});

test("where sockets get a welcome and then always break in a push it is polled", async () => {
  const asked = await attempts({ welcome: [1, 2, 3, 4], stuck: [1, 2, 3, 4] });
  expect(asked).toEqual([...sockets(3), "http"]);
});

test("a socket that the hub ends in a push for another reason is no less of use", async () => {
  const all = [1, 2, 3, 4, 5];
  const asked = await attempts({ welcome: all, stuck: all, refused: [1, 2] });
  expect(asked).toEqual([...sockets(5), "http"]);
});

test("one socket that carries a push is enough to go on with sockets", async () => {
  const asked = await attempts({ welcome: [1, 2, 3, 4, 5, 6], stuck: [1, 2, 4, 5, 6] });
  expect(asked).toEqual([...sockets(6), "http"]);
});

/** A conversation on a link, with a database of its own. */
async function conversation() {
  const db = new Database("hints", [], { indexedDB: new IDBFactory(), IDBKeyRange });
  await db.keep("client", newClient());
  await db.keep("replica", { ...NEW_REPLICA, cursor: { epoch: "e", seq: 1 }, complete: true });
  const lead = new Lead(db);
  await lead.take(async () => {});
  const link = { auth: vi.fn(), poll: () => false };
  const pusher = { pause: vi.fn(), resume: vi.fn(), flush: vi.fn() };
  const pace = { slow: vi.fn() };
  const tokens = { fresh: vi.fn(async () => "another") };
  const connector = { key: {}, link };
  const failed = vi.fn();
  const parts = { db, lead, pusher, pace, tokens, connector, around: surroundings(), events: {} };
  const isOnline = () => true;
  const made = new Conversation(parts as unknown as Parts, { tell: vi.fn(), failed, isOnline });
  return { db, link, pusher, pace, tokens, failed, take: (told: HubMessage) => made.take(told) };
}

test("a hub that is told too much has its pause, for what is sent and what is shown", async () => {
  const { db, pusher, pace, take } = await conversation();
  await take({ t: "slow", retry_ms: 700 });
  expect(pusher.pause.mock.calls).toEqual([[700]]);
  expect(pace.slow.mock.calls).toEqual([[700]]);
  db.close();
});

test("a token that is due is renewed on the link there is", async () => {
  const { db, link, pusher, take } = await conversation();
  await take({ t: "auth_due", in: 60 });
  expect(link.auth.mock.calls).toEqual([["another"]]);
  expect(pusher.resume).toHaveBeenCalledOnce();
  db.close();
});

test("what cannot be is borne twice in a row, and then the copy is taken anew", async () => {
  const { db, failed, take } = await conversation();
  const delta = (from: number): HubMessage => ({
    t: "delta",
    from,
    to: from,
    more: false,
    changes: [],
  });
  const cursor = async () => (await db.read("replica")).cursor;
  // One that can be makes good what was before it.
  for (const from of [7, 7, 1, 7, 7]) await take(delta(from));
  expect(failed).toHaveBeenCalledTimes(4);
  expect(await cursor()).toEqual({ epoch: "e", seq: 1 });
  await take(delta(7));
  expect(await cursor()).toBeNull();
  expect((await db.read("replica")).fill).toMatchObject({ tables: null });
  db.close();
});
