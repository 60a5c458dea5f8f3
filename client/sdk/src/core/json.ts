/**
 * JSON values: what may be stored, and the canonical text (RFC 8785) over which a snapshot is
 * summed.
 */
import { SynclineError } from "./errors";

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

function checkText(text: string, place: string): string {
  if (text.includes("\0")) throw new SynclineError("nul_in_string", `${place} holds NUL`);
  if (LONE.test(text)) throw new SynclineError("value_invalid", `${place} holds half a character`);
  return text;
}

/** The canonical text of a value, by RFC 8785. */
export function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`);
  return `{${members.join(",")}}`;
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
const UTF8 = new TextEncoder();

/** What a record adds to a snapshot's sum: the CRC-32 (IEEE) of `table \0 id \0 canonical data`. */
export function recordSum(table: string, id: string, data: JsonObject): number {
  let crc = 0xffffffff;
  for (const byte of UTF8.encode(`${table}\0${id}\0${canonical(data)}`))
    crc = (CRC[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
