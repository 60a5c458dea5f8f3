/**
 * Writes the hub has not judged, as one tab counts them: its own from the moment they are durable,
 * all others when it looks. Looks may overtake each other; the last one that was begun counts.
 */
export class Pending {
  #count = 0;
  /** Looks that were begun, the last of those that told something, and the last `n` that one saw. */
  #begun = 0;
  #last = 0;
  #seen = -Infinity;
  /** Writes of this tab that no look has counted, by their `n`, and how many looks there were then. */
  #uncounted: { n: number; begun: number }[] = [];

  get count(): number {
    return this.#count;
  }

  /** Something was written that no look has counted yet. */
  get isBehind(): boolean {
    return this.#uncounted.length > 0;
  }

  /** A look begins. Returns its turn. */
  begins(): number {
    return ++this.#begun;
  }

  /** Takes what a look has counted, and the last `n` it saw. False if a later one was faster. */
  looked(turn: number, { pending, last }: { pending: number; last: number }): boolean {
    if (turn < this.#last) return false;
    this.#last = turn;
    this.#seen = last;
    this.#uncounted = this.#uncounted.filter(({ n, begun }) => n > last && begun >= turn);
    this.#count = pending + this.#uncounted.length;
    return true;
  }

  /** This tab has written mutation `n`. True if no look has counted it. */
  wrote(n: number): boolean {
    if (n <= this.#seen) return false;
    this.#uncounted.push({ n, begun: this.#begun });
    this.#count++;
    return true;
  }

  /** The database is another one, whose numbers begin anew. */
  restart(): void {
    this.#seen = -Infinity;
    this.#uncounted = [];
  }
}
