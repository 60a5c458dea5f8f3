/** What keys do. */

export const KEYS = [
  { command: "new", keys: ["n"], does: "New task" },
  { command: "search", keys: ["/"], does: "Search" },
  { command: "next", keys: ["j"], does: "Next task" },
  { command: "previous", keys: ["k"], does: "Previous task" },
  { command: "done", keys: [" "], does: "Done, or not after all" },
  { command: "edit", keys: ["e"], does: "Edit" },
  { command: "delete", keys: ["d", "Delete"], does: "Delete" },
  { command: "undo", keys: ["u"], does: "Undo" },
  { command: "up", keys: ["Alt+ArrowUp"], does: "Move up" },
  { command: "down", keys: ["Alt+ArrowDown"], does: "Move down" },
  { command: "all", keys: ["1"], does: "All tasks" },
  { command: "today", keys: ["2"], does: "Today" },
  { command: "upcoming", keys: ["3"], does: "Upcoming" },
  { command: "finished", keys: ["4"], does: "What is done" },
  { command: "help", keys: ["?"], does: "These keys" },
] as const;

export type Command = (typeof KEYS)[number]["command"];

/** As much of a `KeyboardEvent` as decides. */
export interface Pressed {
  key: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
}

/** A key of a composition: what it does is the keyboard's. Some browsers say so by its code alone, at its end. */
export const isComposed = ({
  isComposing,
  keyCode,
}: Pick<KeyboardEvent, "isComposing" | "keyCode">) => isComposing || keyCode === 229;

/** A key that types something. Space is none: it only does what the button does that has the focus. */
export const isLetter = (key: string) => key.length === 1 && key !== " ";

/** `letters`: whether keys that type something are commands. */
export function commandOf(
  { key, altKey, ctrlKey, metaKey }: Pressed,
  letters: "taken" | "left" = "taken",
): Command | null {
  if (ctrlKey || metaKey || (letters === "left" && isLetter(key))) return null;
  const pressed = altKey ? `Alt+${key}` : key;
  const found = KEYS.find(({ keys }) => (keys as readonly string[]).includes(pressed));
  return found?.command ?? null;
}

/** A key's name for people. */
export function sayKey(key: string): string {
  const names: Record<string, string> = { " ": "Space", ArrowUp: "↑", ArrowDown: "↓" };
  return key
    .split("+")
    .map((part) => names[part] ?? part)
    .join(" ");
}
