/** Two words of a presence are at least so far apart; of those in between the last one counts. */
const SHOW_EVERY_MS = 100;

/** Decides when a presence is sent. */
export class Pace {
  readonly #send: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** There is something to send. */
  due(): void {
    this.#isDue = true;
    if (this.#timer === undefined) this.#next();
  }

  /** The hub was told too much, and what was sent last may be lost. */
  slow(ms: number): void {
    this.#isDue = true;
    this.#wait(ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
  }

  #next(): void {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#wait(SHOW_EVERY_MS);
    this.#send();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next();
    }, ms);
  }
}
