/** Web Locks and channels between the tabs of one device, for tests where there is no browser. */

interface Asked {
  grant(): void;
}

/** As much of a `LockManager` as the store uses: waiting in order, giving up, taking away. */
export class Locks {
  readonly #holders = new Map<string, { lose: () => void }>();
  readonly #waiting = new Map<string, Asked[]>();

  async request(
    name: string,
    { signal, steal = false }: LockOptions,
    hold: (lock: Lock) => Promise<void>,
  ): Promise<void> {
    if (steal) this.#holders.get(name)?.lose();
    else if (this.#holders.has(name)) await this.#turn(name, signal);
    signal?.throwIfAborted();
    const holder = { lose: () => {} };
    const lost = new Promise<never>((_, fail) => {
      holder.lose = () => fail(new DOMException("stolen", "AbortError"));
    });
    this.#holders.set(name, holder);
    try {
      await Promise.race([hold({ name, mode: "exclusive" }), lost]);
    } finally {
      if (this.#holders.get(name) === holder) {
        this.#holders.delete(name);
        this.#waiting.get(name)?.shift()?.grant();
      }
    }
  }

  #turn(name: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(name) ?? [];
      this.#waiting.set(name, waiting);
      const asked = { grant: resolve };
      waiting.push(asked);
      signal?.addEventListener("abort", () => {
        const at = waiting.indexOf(asked);
        if (at >= 0) waiting.splice(at, 1);
        reject(signal.reason as Error);
      });
    });
  }
}

let devices = 0;

/** Channels that only the tabs of one device hear. */
export function channels(): typeof BroadcastChannel {
  const device = devices++;
  return class extends BroadcastChannel {
    constructor(name: string) {
      super(`${device} ${name}`);
    }
  };
}
