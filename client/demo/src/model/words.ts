/** What a new task's text says beside its title: `Call Ada tomorrow #phone !`. */
import { dayNamed, type Day } from "./days";
import { labelName } from "./labels";

export interface Said {
  title: string;
  due: Day | null;
  /** Names of labels. */
  labels: string[];
  isImportant: boolean;
}

/**
 * Labels and the mark may stand anywhere, a day only at the end, where it is no part of a title. Where
 * nothing else is said, they are the title.
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
  const due = words.length > 1 ? dayNamed(words.at(-1)!, today) : null;
  if (due !== null) words.pop();
  return { title: words.join(" "), due, labels: [...labels], isImportant };
}
