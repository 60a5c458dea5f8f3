/** A field for something new: what is typed stays in it until it is stored. */
import { sayFault } from "../model/faults";
import type { Era } from "../todo/era";
import { keep } from "../todo/keep";
import { onLeave } from "./era.svelte";

export interface Kept {
  /** Under which it is in `sessionStorage`; begins with `TYPED`. */
  key: string;
  /** Reactive: whose data is shown. */
  era: () => Era;
}

export class Entry {
  /** What could not be stored, and why. */
  fault = $state.raw<{ text: string; why: string } | null>(null);
  #text = $state("");
  /** What is being stored and still stands in the field. */
  #sending: object | null = null;
  readonly #key: string | undefined;

  /**
   * With `kept` what is typed outlives a reload of the tab, and no sign-out. Made with the component
   * that shows it.
   */
  constructor(kept?: Kept) {
    this.#key = kept?.key;
    if (!kept) return;
    const { key } = kept;
    this.#text = sessionStorage.getItem(key) ?? "";
    $effect(() => keep(sessionStorage, key, this.#text));
    onLeave(kept.era, () => this.#empty());
  }

  get text(): string {
    return this.#text;
  }

  set text(text: string) {
    this.#text = text;
    this.#sending = null;
  }

  #empty(): void {
    this.text = "";
    // Another field with this key may have written it.
    if (this.#key !== undefined) keep(sessionStorage, this.#key, null);
    this.fault = null;
  }

  /** What is typed and not on its way. */
  get unsent(): string {
    return this.#sending ? "" : this.#text;
  }

  /**
   * Has `work` store it, and empties the field after that. What is typed meanwhile takes its place:
   * it is selected. True if it was stored.
   */
  async send(
    field: HTMLInputElement | null | undefined,
    work: () => Promise<unknown>,
  ): Promise<boolean> {
    if (this.#sending) return false;
    const [text, sending] = [this.#text, {}];
    this.#sending = sending;
    field?.select();
    try {
      await work();
      this.fault = null;
      if (this.#sending === sending) this.#text = "";
      return true;
    } catch (error) {
      this.fault = { text: text.trim(), why: sayFault(error) };
      return false;
    } finally {
      if (this.#sending === sending) this.#sending = null;
    }
  }
}
