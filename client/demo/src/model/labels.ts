/** Names of labels. */

/** With a task's id it names the record that gives the label, and a record's id holds 128 bytes. */
const NAME_BYTES_MAX = 80;

/** A label's name as it is kept, of what was typed; empty if that names none. */
export function labelName(typed: string): string {
  const name = typed.trim().replace(/^#/, "").replace(/\s+/g, "-").toLowerCase();
  const encoder = new TextEncoder();
  let [kept, bytes] = ["", 0];
  for (const letter of name) {
    bytes += encoder.encode(letter).length;
    if (bytes > NAME_BYTES_MAX) break;
    kept += letter;
  }
  return kept;
}
