/**
 * Where the focus goes when what has it leaves the page or is switched off: to the same control of the
 * next one of a list, or what is nearest, and no further than its part of the page. Browsers let it
 * fall to `body`, from where a keyboard begins at the top again.
 */

/** What can have the focus. */
const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex]";

/** What stands for itself: nothing beside it is near to what was in it. */
const PARTS = "dialog, [role=alert], [role=status], header, nav, form, section, fieldset, main";

/** Fields of texts: where a finger points, the focus brings up a keyboard that nobody asked for. */
const WRITTEN = "textarea, input:not([type=checkbox], [type=radio])";

/** Whether a finger points at this device. */
export const isTouched = () => matchMedia("(pointer: coarse)").matches;

/** A node that was removed, and where it stood. */
interface Removal {
  node: Node;
  record: Pick<MutationRecord, "target" | "previousSibling" | "nextSibling">;
}

/** Listens until the function that it returns is called. `home` has it where nothing is near. */
export function keepFocus(home: () => HTMLElement | null): () => void {
  let last: HTMLElement | null = null;
  const listening = new AbortController();
  const { signal } = listening;
  const isAway = () => document.activeElement === document.body || document.activeElement === null;
  document.addEventListener("focusin", ({ target }) => (last = target as HTMLElement), { signal });
  // Who presses beside everything lets go of it. What leaves the page is told of before this is.
  document.addEventListener(
    "focusout",
    () => setTimeout(() => isAway() && last?.isConnected && isOn(last) && (last = null)),
    { signal },
  );
  const changed = new MutationObserver((records) => {
    const lost = last;
    if (!lost || !(isAway() || document.activeElement === lost)) return;
    const removals = removalsIn(records);
    if (!lost.isConnected) (after(removals, lost) ?? fallback(home))?.focus();
    else if (!isOn(lost)) (besides(lost) ?? fallback(home))?.focus();
    // It was moved in the page.
    else if (isAway() && removalOf(removals, lost)) lost.focus();
  });
  changed.observe(document.body, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["disabled"],
  });
  signal.addEventListener("abort", () => changed.disconnect());
  return () => listening.abort();
}

const isOn = (one: Element) => !(one as HTMLButtonElement).disabled;

/** An open dialog covers all else. */
const fallback = (home: () => HTMLElement | null) =>
  document.querySelector<HTMLElement>("dialog[open] header button") ?? home();

/** What is near to a control that is switched off. */
const besides = (lost: HTMLElement) =>
  near(lost.parentElement, lost.nextSibling, lost.previousSibling, lost, lost);

const removalsIn = (records: readonly MutationRecord[]): Removal[] =>
  records.flatMap((record) => [...record.removedNodes].map((node) => ({ node, record })));

const removalOf = (removals: readonly Removal[], inner: Node) =>
  removals.filter(({ node }) => node.contains(inner)).at(-1);

/** What is near to where the removed node stood that held what had the focus. */
function after(removals: readonly Removal[], lost: HTMLElement): HTMLElement | null {
  let found = removalOf(removals, lost);
  // What it was in may have been removed with what that was in.
  while (found && !found.record.target.isConnected)
    found = removalOf(removals, found.record.target);
  if (!found) return null;
  const { node, record } = found;
  const beside = (way: "nextSibling" | "previousSibling") => {
    let sibling = record[way];
    while (sibling && !sibling.isConnected)
      sibling = removalOf(removals, sibling)?.record[way] ?? null;
    return sibling;
  };
  return near(
    record.target as Element,
    beside("nextSibling"),
    beside("previousSibling"),
    node as Element,
    lost,
  );
}

function near(
  parent: Element | null,
  next: Node | null,
  previous: Node | null,
  gone: Element,
  lost: HTMLElement,
): HTMLElement | null {
  const at = controlsOf(gone).indexOf(lost);
  const alike = (one: Element) =>
    one.matches(gone.localName) && one.className === gone.className ? controlsOf(one)[at] : null;
  for (const [start, way] of [
    [next, "nextElementSibling"],
    [previous, "previousElementSibling"],
  ] as const)
    for (let one = elementFrom(start, way); one; one = one[way]) {
      const found = alike(one);
      if (found && isOn(found)) return found;
    }
  if (gone.matches(PARTS)) return null;
  for (let part = parent, [on, back] = [next, previous]; part;) {
    const found =
      first(elementFrom(on, "nextElementSibling"), "nextElementSibling") ??
      first(elementFrom(back, "previousElementSibling"), "previousElementSibling");
    if (found || part.matches(PARTS)) return found;
    [on, back] = [part.nextSibling, part.previousSibling];
    part = part.parentElement;
  }
  return null;
}

function elementFrom(
  node: Node | null,
  way: "nextElementSibling" | "previousElementSibling",
): Element | null {
  if (node === null || node instanceof Element) return node;
  return (node as CharacterData)[way];
}

function first(
  from: Element | null,
  way: "nextElementSibling" | "previousElementSibling",
): HTMLElement | null {
  for (let one = from; one; one = one[way]) {
    const found = controlsOf(one).find((control) => isOn(control) && !control.matches(WRITTEN));
    if (found) return found;
  }
  return null;
}

const controlsOf = (one: Element): HTMLElement[] =>
  [one, ...one.querySelectorAll("*")].filter((inner) => inner.matches(CONTROLS)) as HTMLElement[];
