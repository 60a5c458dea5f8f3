/** The sum of records that shows whether a snapshot is whole. */
import { canonical } from "./canonical.js";
import type { JsonObject } from "./json.js";

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
const UTF8 = new TextEncoder();
/** A text's bytes are written into it: to make new ones for each record takes longer than to sum them. */
let bytes = new Uint8Array(4_096);

/** What a record adds to a snapshot's sum: the CRC-32 (IEEE) of `table \0 id \0 canonical data`. */
export function recordSum(table: string, id: string, data: JsonObject): number {
  const text = `${table}\0${id}\0${canonical(data)}`;
  // No character of UTF-16 takes more than three.
  if (bytes.length < 3 * text.length) bytes = new Uint8Array(3 * text.length);
  const { written } = UTF8.encodeInto(text, bytes);
  let crc = 0xffffffff;
  for (let at = 0; at < written; at++)
    crc = (CRC[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
