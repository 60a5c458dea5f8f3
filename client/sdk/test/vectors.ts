/** The cases the Rust code is held to as well. */
import { readFileSync } from "node:fs";

export function vectors<T>(name: string): T {
  const file = new URL(`../../../protocol/vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as T;
}
