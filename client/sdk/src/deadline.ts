/** An end of waiting. */

/** How long something may take. */
export class Deadline {
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #late: Promise<never>;

  /** `error` makes what it fails with. */
  constructor(ms: number, error: () => Error) {
    let fail: (error: unknown) => void;
    this.#late = new Promise<never>((_, reject) => (fail = reject));
    this.#late.catch(() => {});
    // A timer of more than 2^31 ms ends at once.
    if (ms < 2 ** 31) this.#timer = setTimeout(() => fail(error()), ms);
  }

  before<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#late]);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
