/** What a new task's text says beside its title: `Call Ada tomorrow #phone !`. */
import { dayNamed, weekdayNamed, type Day } from "./days";
import { labelName } from "./labels";

export interface Said {
  title: string;
  due: Day | null;
  /** Names of labels. */
  labels: string[];
  isImportant: boolean;
}

/**
 * Labels and the mark may stand anywhere, a day only at the end, where it is no part of a title: three
 * letters of a weekday only after `on`. Where nothing else is said, they are the title.
 */
export function parse(text: string, today: Day): Said {
  const all = text.split(/\s+/).filter((word) => word !== "");
  const labels = new Set<string>();
  let isImportant = false;
  const words = all.filter((word) => {
    if (word === "!") isImportant = true;
    // A number is one of something, such as an issue, and no label.
    else if (/^#(?!\d+$)[^#]+$/.test(word)) labels.add(labelName(word));
    else return true;
    return false;
  });
  if (words.length === 0)
    return { title: all.join(" "), due: null, labels: [], isImportant: false };
  const [said, due] = dueOf(words, today);
  return {
    title: words.slice(0, words.length - said).join(" "),
    due,
    labels: [...labels],
    isImportant,
  };
}

/** How many words at the end say a day, and which: `friday`, `on friday` or `on fri`. */
function dueOf(words: readonly string[], today: Day): [number, Day | null] {
  const [before = "", word = ""] = words.slice(-2);
  const isOn = words.length > 2 && before.toLowerCase() === "on";
  const named = isOn ? weekdayNamed(word, today) : null;
  if (named !== null) return [2, named];
  const due = words.length > 1 ? dayNamed(word, today) : null;
  return [due === null ? 0 : 1, due];
}
