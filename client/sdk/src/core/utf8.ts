const UTF8 = new TextEncoder();

/** Bytes of a text in UTF-8. */
export function bytesOf(text: string): number {
  return UTF8.encode(text).length;
}
