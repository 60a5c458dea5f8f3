import fc from "fast-check";
import { expect, test } from "vitest";
import { readPayload, type PushPayload } from "../../src/notifications/message";

const PAYLOAD: PushPayload = {
  v: 1,
  id: "1795514400000-0123456789abcdef",
  app: "todo",
  kind: "reminder",
  title: "Buy milk",
  body: "",
  language: "en",
  at: "2026-11-24T10:00:00.000Z",
  late: false,
  items: [{ key: "reminders/r1@1795514400000", table: "reminders", id: "r1", task: "k1" }],
  more: 0,
};

test("a payload is read as it was sent, and what a newer hub adds is left out", () => {
  expect(readPayload(JSON.stringify(PAYLOAD))).toEqual(PAYLOAD);
  const [item] = PAYLOAD.items;
  const newer = { ...PAYLOAD, colour: "red", items: [{ ...item, due: "soon" }] };
  expect(readPayload(JSON.stringify(newer))).toEqual(PAYLOAD);
});

test("what was cut for want of room is none", () => {
  const { v, id, app, title } = PAYLOAD;
  expect(readPayload(JSON.stringify({ v, id, app, title, more: 3 }))).toEqual({
    ...PAYLOAD,
    kind: "",
    language: "",
    at: "",
    items: [],
    more: 3,
  });
});

test.each([
  ["nothing", undefined],
  ["no text", ""],
  ["no JSON", "{"],
  ["another thing", "null"],
  ["a list", "[]"],
  ["another version", JSON.stringify({ ...PAYLOAD, v: 2 })],
  ["no id", JSON.stringify({ ...PAYLOAD, id: 7 })],
  ["an empty title", JSON.stringify({ ...PAYLOAD, title: "" })],
  ["no app", JSON.stringify({ ...PAYLOAD, app: null })],
  ["items that are no list", JSON.stringify({ ...PAYLOAD, items: {} })],
  ["an item without a key", JSON.stringify({ ...PAYLOAD, items: [{ id: "r1" }] })],
  ["an item that is null", JSON.stringify({ ...PAYLOAD, items: [null] })],
])("%s is no payload", (_, text) => {
  expect(readPayload(text)).toBeUndefined();
});

test("no JSON makes it throw", () => {
  fc.assert(fc.property(fc.json(), (text) => void readPayload(text)));
  const like = fc.record(
    {
      v: fc.constant(1),
      id: fc.string(),
      app: fc.string(),
      title: fc.string(),
      items: fc.jsonValue(),
    },
    { requiredKeys: ["v"] },
  );
  fc.assert(fc.property(like, (raw) => void readPayload(JSON.stringify(raw))));
});
