/** Where the page is, as the part of a link after `#`: `/project/p1?search=milk&task=t1`. */
import type { View } from "./views";

export interface Place {
  view: View;
  /** Empty without one. */
  search: string;
  /** The id of the task that is edited. */
  task: string | null;
}

const NAMED = ["all", "today", "upcoming", "done"] as const;

export function linkTo({ view, search, task }: Place): string {
  const path = ["", view.is, ...("id" in view ? [encodeURIComponent(view.id)] : [])].join("/");
  const asked = new URLSearchParams();
  if (search !== "") asked.set("search", search);
  if (task !== null) asked.set("task", task);
  return String(asked) !== "" ? `#${path}?${asked}` : `#${path}`;
}

/** What names no place is that of all tasks. */
export function placeOf(link: string): Place {
  const [path = "", ...rest] = link.replace(/^#/, "").split("?");
  const asked = new URLSearchParams(rest.join("?"));
  const [, is = "", ...named] = path.split("/");
  const task = asked.get("task");
  return {
    view: viewOf(is, decoded(named.join("/"))),
    search: asked.get("search") ?? "",
    task: task === "" ? null : task,
  };
}

/** What of a place tells nothing of whose it was: names and texts are people's. */
export function withoutOwn({ view }: Place): Place {
  return { view: "id" in view ? { is: "all" } : view, search: "", task: null };
}

function viewOf(is: string, id: string): View {
  if ((is === "project" || is === "label") && id !== "") return { is, id };
  return { is: NAMED.find((one) => one === is) ?? "all" };
}

/** Somebody may have written the link by hand. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
