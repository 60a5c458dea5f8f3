/** JSON values: what may be stored. */
import { SynclineError } from "./errors.js";
import { bytesOf } from "./utf8.js";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** Nesting of lists and objects in one value, as the hub takes it by default. */
const DEPTH_MAX = 32;

/** UTF-16 of a lone surrogate, which is no text and which the hub refuses. */
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/**
 * A copy of `value` that holds only JSON: what is stored is then what every device shows. Members
 * that are `undefined` are left out. Throws `value_invalid`, `nul_in_string` or `json_too_deep`,
 * naming the place.
 */
export function toJson(value: unknown, place = "value", depth = 0): Json {
  const refuse = (why: string, code = "value_invalid"): never => {
    throw new SynclineError(code, `${place} ${why}`);
  };
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return checkText(value, place);
    case "number":
      return Number.isFinite(value) ? value + 0 : refuse("is no finite number");
    case "object":
      break;
    default:
      return refuse(`is of type ${typeof value}, which JSON cannot hold`);
  }
  if (value === null) return null;
  if (depth === DEPTH_MAX) refuse("is nested too deep", "json_too_deep");
  if (Array.isArray(value))
    return value.map((item, at) => toJson(item, `${place}[${at}]`, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    refuse("is no plain object; store its text or number instead");
  const copy: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    if (name === "__proto__") refuse("has a member __proto__");
    if (member !== undefined)
      copy[checkText(name, place)] = toJson(member, `${place}.${name}`, depth + 1);
  }
  return copy;
}

/**
 * A record's fields, each of which may be as deep as a value that is set by itself, under names that
 * the hub takes.
 */
export function toData(fields: object, place: string): JsonObject {
  const data = toJson(fields, place, -1) as JsonObject;
  for (const name of Object.keys(data)) checkName(name, `a field's name in ${place}`);
  return data;
}

/** UTF-8 bytes of an id, and of a field's, a collection's or a room's name. */
const NAME_BYTES_MAX = 128;

/** Returns a label that the hub takes too: 1 to 128 bytes without control characters. */
export function checkLabel(label: string, what: string): string {
  const bytes = typeof label === "string" ? bytesOf(label) : 0;
  const isText = !LONE.test(label) && !/[\0-\x1f\x7f-\x9f]/.test(label);
  if (bytes < 1 || bytes > NAME_BYTES_MAX || !isText)
    throw new SynclineError("value_invalid", `${what} is empty, too long or no text`);
  return label;
}

/** Returns a label that can also name a member of an object. */
export function checkName(name: string, what = "an id"): string {
  return checkLabel(name === "__proto__" ? "" : name, what);
}

function checkText(text: string, place: string): string {
  if (text.includes("\0")) throw new SynclineError("nul_in_string", `${place} holds NUL`);
  if (LONE.test(text)) throw new SynclineError("value_invalid", `${place} holds half a character`);
  return text;
}
