/** The one text of a JSON value, whatever the order of its members (RFC 8785). */
import type { Json } from "./json.js";

/** The canonical text of a value, by RFC 8785. */
export function canonical(value: Json): string {
  // What is in order is written by the engine, which is faster. The hub tells members so.
  if (typeof value !== "object" || value === null || isInOrder(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`);
  return `{${members.join(",")}}`;
}

/** Whether the members of all its objects are in the order of their names. */
function isInOrder(value: Json): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isInOrder);
  let before = "";
  for (const name of Object.keys(value)) {
    if (name < before || !isInOrder(value[name] as Json)) return false;
    before = name;
  }
  return true;
}
