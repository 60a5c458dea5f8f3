/** An end of waiting. */
import { SynclineError } from "./core/errors";

/** How long unsent writes may take. */
export class Deadline {
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #late: Promise<never>;

  constructor(ms: number) {
    const error = new SynclineError("unsynced", "unsent writes could not be sent in time");
    let fail: (error: unknown) => void;
    this.#late = new Promise<never>((_, reject) => (fail = reject));
    this.#late.catch(() => {});
    this.#timer = setTimeout(() => fail(error), ms);
  }

  async before(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#late]);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
