/** Which session a store has, and how another one takes its place. */
import { closed, type SynclineError } from "./core/errors.js";
import { callAll } from "./core/listeners.js";
import type { Session } from "./session.js";
import { toSyncline } from "./storage/open.js";
import { pauseToReopen, type Surroundings } from "./surroundings.js";
import type { Activity } from "./sync/activity.js";

export class Current {
  readonly #around: Surroundings;
  /** There is another session, or the error is another one. */
  readonly #changed: () => void;
  readonly #calls = new Set<(session: Session) => void>();
  readonly #ended = new AbortController();
  #session: Session | undefined;
  /** The session to come, while one is opened or exchanged. */
  #opening: Promise<Session> = Promise.reject(closed());
  #error: Activity["error"] = null;
  /** Whether sessions are to sync. */
  syncs: boolean;

  constructor(syncs: boolean, around: Surroundings, changed: () => void) {
    this.syncs = syncs;
    this.#around = around;
    this.#changed = changed;
    this.#opening.catch(() => {});
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** The session there is, or the one to come: what is asked for meanwhile waits for it. */
  get opening(): Promise<Session> {
    return this.#opening;
  }

  /** Why no session could be opened. */
  get error(): Activity["error"] {
    return this.#error;
  }

  /** Aborted when the store is closed. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Calls back now and whenever there is another session. Returns what ends it. */
  each(call: (session: Session) => void): () => void {
    this.#calls.add(call);
    if (this.#session) call(this.#session);
    return () => this.#calls.delete(call);
  }

  /**
   * Opens a session and has everybody use it. If that fails it is tried again and again, and what is
   * asked for meanwhile fails as the first try did.
   */
  begin(open: () => Promise<Session>): Promise<Session> {
    const begun = this.#begun(open);
    this.#opening = begun;
    // Told by the status, and to whoever waits for it.
    begun.catch(() => {});
    return begun;
  }

  /**
   * Opens another session and has everybody use it. If that fails, `before` stays, for all who wait,
   * unless it was closed on the way: then it is as with `begin`.
   */
  exchange(open: () => Promise<Session>, before: Session): Promise<Session> {
    const exchanged = this.#exchanged(open, before);
    this.#opening = exchanged.catch((error: unknown) => {
      if (before.isClosed) throw error;
      return before;
    });
    this.#opening.catch(() => {});
    return exchanged;
  }

  async #begun(open: () => Promise<Session>): Promise<Session> {
    try {
      return this.#use(await open());
    } catch (error) {
      throw this.#failed(error, open);
    }
  }

  async #exchanged(open: () => Promise<Session>, before: Session): Promise<Session> {
    try {
      return this.#use(await open());
    } catch (error) {
      throw before.isClosed ? this.#failed(error, open) : toSyncline(error);
    }
  }

  /** Closes the session for another one, which is opened again and again until it is there. */
  async become(before: Session, open: () => Promise<Session>): Promise<void> {
    this.#session = undefined;
    before.close();
    await this.begin(open);
  }

  /** The browser closed the database of the session: whatever is asked for until `open` waits. */
  reopening(session: Session, open: Promise<void>): void {
    if (this.#session !== session) return;
    this.#opening = Promise.all([this.#opening, open]).then(([current]) => {
      if (current !== session) return current;
      // Another one has taken its place.
      if (session.isClosed) return this.#opening;
      callAll(this.#calls, session);
      return session;
    });
    this.#opening.catch(() => {});
  }

  /** Ends everything. Whatever is asked for afterwards fails with `stopped`. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#ended.abort();
    this.#opening = Promise.reject(closed());
    this.#opening.catch(() => {});
    this.#session?.close();
    // One that is opened anew may take its time.
    if (!this.#session?.isReopening) await opening.catch(() => {});
    this.#calls.clear();
  }

  #failed(raw: unknown, open: () => Promise<Session>): unknown {
    const error = toSyncline(raw) as SynclineError;
    if (this.ended.aborted) return closed();
    this.#session = undefined;
    const { code, message } = error;
    this.#error = { code, message };
    void this.#tryAgain(open);
    this.#changed();
    return error;
  }

  async #tryAgain(open: () => Promise<Session>): Promise<void> {
    for (let tries = 1; !this.ended.aborted; tries++) {
      await pauseToReopen(tries, this.#around, this.ended);
      if (this.ended.aborted) return;
      try {
        const session = await open();
        // Before it is told of: who hears of it may ask at once.
        this.#opening = Promise.resolve(session);
        this.#use(session);
        return;
      } catch {
        // It is tried again.
      }
    }
  }

  #use(session: Session): Session {
    if (this.ended.aborted) {
      session.close();
      throw closed();
    }
    this.#error = null;
    this.#session = session;
    if (this.syncs) session.start();
    else session.stop();
    callAll(this.#calls, session);
    this.#changed();
    return session;
  }
}
