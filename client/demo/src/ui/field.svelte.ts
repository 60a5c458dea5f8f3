/** Form fields of what is stored. */
import type { Attachment } from "svelte/attachments";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** What is done with what is typed. */
export interface Saving {
  /** Stores it. `false`, what resolves to it, or what rejects says that it could not be. */
  save(value: string): unknown;
  /** Whether it is such as may be stored, where a browser may not know. */
  takes?(value: string): boolean;
  /** What is stored of it, where that is not all of it. */
  storedAs?(value: string): string;
  /**
   * For text: keeps it until it is stored, at once, since the page may be about to end. `before`: all
   * that may be stored by then and is not news of another device.
   */
  keep?(value: string, before: readonly string[]): void;
}

/** How long after the last letter a text is saved, in milliseconds. */
const SAVE_MS = 400;

/**
 * Has a field show what is stored, but for what is being typed into it: neither another device nor
 * a write of this field that is under way takes that away. Gives `save` what the browser finds
 * valid, and `takes`; anything else is given up when the field is left. With `keep` it is saved while it is
 * typed, or else when it is left.
 */
export function field(
  stored: () => string,
  { save, takes, storedAs = (value) => value, keep }: Saving,
): Attachment<Field> {
  return (element) => {
    let isTyped = false;
    /** How many writes are under way. */
    let writes = 0;
    /** What was stored when it was first typed, and what was written since; empty once that is seen. */
    let own: string[] = [];
    let saving: ReturnType<typeof setTimeout> | undefined;
    const isValid = () => element.validity.valid && (takes?.(element.value) ?? true);
    const isPending = () => isTyped || writes > 0;
    const show = () => {
      const value = stored();
      if (isPending()) return;
      // What was written is told a moment after it is stored.
      if (own.slice(0, -1).includes(value) && value !== own.at(-1)) return;
      own = [];
      const isSame = element.value === value;
      // A space at its end may be one between words.
      const isBetween = element === document.activeElement && storedAs(element.value) === value;
      if (!isSame && !isBetween) element.value = value;
    };
    const typed = () => {
      isTyped = true;
      if (own.length === 0) own = [stored()];
    };
    const saveTyped = () => {
      clearTimeout(saving);
      if (!isTyped || !isValid()) return;
      isTyped = false;
      writes++;
      const { value } = element;
      own.push(storedAs(value));
      const saved = Promise.resolve(save(value)).catch(() => false);
      void saved.then((isSaved) => {
        writes--;
        // It stays where it was typed, and is tried again with what is typed next, or when it is left.
        if (isSaved === false && element.value === value) isTyped = true;
        show();
      });
    };
    const end = () => {
      if (isPending() && isValid() && storedAs(element.value) !== stored())
        keep?.(element.value, own);
      saveTyped();
    };
    $effect(show);
    const listening = new AbortController();
    const on = (target: EventTarget, type: string, call: () => void) =>
      target.addEventListener(type, call, { signal: listening.signal });
    on(element, "input", () => {
      typed();
      clearTimeout(saving);
      if (keep) saving = setTimeout(saveTyped, SAVE_MS);
    });
    on(element, "change", () => {
      // What a picker or a program sets may come without an `input`.
      if (!isPending()) typed();
      saveTyped();
    });
    on(element, "blur", () => {
      // Parts of a date may have been taken away one by one, of which browsers tell the first.
      saveTyped();
      // Also what has no value, such as half a date.
      if (!isValid()) {
        element.value = stored();
        isTyped = false;
      }
      show();
    });
    if (keep) {
      on(window, "pagehide", end);
      on(document, "visibilitychange", () => document.hidden && end());
    }
    return () => {
      saveTyped();
      listening.abort();
    };
  };
}
