import fc from "fast-check";
import { expect, test } from "vitest";
import { ProtocolError } from "../../src/core/errors";
import { parseMessage } from "../../src/core/wire";

const read = (message: unknown) => parseMessage(JSON.stringify(message));

test("a change tells the whole record and the newest of its stamps", () => {
  const fields = {
    a: { value: 1, updatedAt: "2026-11-24T10:00:00.000Z-0001" },
    b: { value: 2, updatedAt: "2026-11-24T10:00:00.000Z" },
  };
  const changes = [
    { seq: 3, table: "t", id: "1", op: "update", fields, data: { a: 1, b: 2, c: 3 } },
    { seq: 3, table: "t", id: "2", op: "delete", deletedAt: "2026-11-24T10:00:00.000Z" },
    { seq: 3, table: "t", id: "3", op: "insert", data: {}, by: "key:" },
  ];
  expect(read({ t: "delta", from: 1, to: 3, changes })).toEqual({
    t: "delta",
    from: 1,
    to: 3,
    more: false,
    changes: [
      { table: "t", id: "1", data: { a: 1, b: 2, c: 3 }, at: fields.a.updatedAt },
      { table: "t", id: "2", data: null, at: "2026-11-24T10:00:00.000Z" },
      { table: "t", id: "3", data: {}, at: "" },
    ],
  });
});

test("a delta may ask for an answer and say which trace it is part of", () => {
  const delta = { t: "delta", from: 1, to: 2, changes: [] };
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  expect(read({ ...delta, ack: true, traceparent })).toMatchObject({ ack: true, traceparent });
  for (const odd of [1, null, [], {}, "yes"])
    expect(read({ ...delta, ack: odd })).not.toHaveProperty("ack");
  expect(read({ ...delta, traceparent: 7 })).not.toHaveProperty("traceparent");
});

test("a newer hub's messages, members and reasons do no harm", () => {
  expect(read({ t: "confetti" })).toEqual({ t: "other" });
  expect(read({ t: "pong", extra: [] })).toEqual({ t: "pong" });
  expect(read({ t: "reset", why: "moon", epoch: "e" })).toMatchObject({ why: "cursor" });
});

test.each([
  "",
  "[]",
  '"welcome"',
  '{"t":"delta","from":0,"to":1}',
  '{"t":"delta","from":-1,"to":1,"changes":[]}',
  '{"t":"delta","from":0,"to":1.5,"changes":[]}',
  '{"t":"delta","from":0,"to":1,"changes":[{"table":"t","id":"1","op":"insert"}]}',
  '{"t":"verdicts","now":"","results":[{"m":1,"status":"perhaps"}]}',
  '{"t":"welcome","epoch":"e","head":1,"now":""}',
])("%s is no message", (text) => {
  expect(() => parseMessage(text)).toThrow(ProtocolError);
});

test("whatever comes is a message or a protocol error", () => {
  const types = ["welcome", "delta", "snapshot", "snapshot_end", "verdicts", "reset", "error"];
  const t = fc.constantFrom(...types, "slow", "reconnect", "auth_due");
  fc.assert(
    fc.property(t, fc.object({ maxDepth: 2 }), (t, more) => {
      try {
        expect(read({ ...more, t })).toHaveProperty("t");
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});
