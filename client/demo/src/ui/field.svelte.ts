/** Form fields of what is stored. */
import type { Attachment } from "svelte/attachments";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** What is done with what is typed. */
export interface Saving {
  /** Stores it. `false`, what resolves to it, or what rejects says that it could not be. */
  save(value: string): unknown;
  /** Whether it is such as may be stored, where a browser may not know. */
  takes?(value: string): boolean;
  /** For text: keeps it until it is stored, at once, since the page may be about to end. */
  keep?(value: string, stored: string): void;
}

/** How long after the last letter a text is saved, in milliseconds. */
const SAVE_MS = 400;

/**
 * Has a field show what is stored, but for what is being typed into it: neither another device nor
 * a write of this field that is under way takes that away. Gives `save` what the browser finds
 * valid, and `takes`; anything else is given up when the field is left. With `keep` it is saved while it is
 * typed, or else when it is left.
 */
export function field(stored: () => string, { save, takes, keep }: Saving): Attachment<Field> {
  return (element) => {
    let holds: "stored" | "typed" | "saved" = "stored";
    let saving: ReturnType<typeof setTimeout> | undefined;
    const isValid = () => element.validity.valid && (takes?.(element.value) ?? true);
    const show = (value: string) => {
      if (element.value !== value) element.value = value;
    };
    const saveTyped = () => {
      clearTimeout(saving);
      if (holds !== "typed" || !isValid()) return;
      holds = "saved";
      const { value } = element;
      const saved = Promise.resolve(save(value)).catch(() => false);
      void saved.then((isSaved) => {
        // It stays where it was typed, and is tried again with what is typed next, or when it is left.
        if (isSaved === false && element.value === value) holds = "typed";
      });
    };
    const end = () => {
      if (holds !== "stored" && isValid() && element.value !== stored())
        keep?.(element.value, stored());
      saveTyped();
    };
    $effect(() => {
      const value = stored();
      if (holds === "stored") show(value);
    });
    const listening = new AbortController();
    const on = (target: EventTarget, type: string, call: () => void) =>
      target.addEventListener(type, call, { signal: listening.signal });
    on(element, "input", () => {
      holds = "typed";
      clearTimeout(saving);
      if (keep) saving = setTimeout(saveTyped, SAVE_MS);
    });
    on(element, "change", () => {
      // What a picker or a program sets may come without an `input`.
      if (holds === "stored") holds = "typed";
      saveTyped();
    });
    on(element, "blur", () => {
      // Parts of a date may have been taken away one by one, of which browsers tell the first.
      saveTyped();
      // Also what has no value, such as half a date.
      if (!isValid()) element.value = stored();
      holds = "stored";
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
