/** Sign-in, sign-out, and going where other tabs of the account have gone. They take turns. */
import { SynclineError } from "./core/errors.js";
import type { Current } from "./current.js";
import { Deadline } from "./deadline.js";
import type { GuestChoice } from "./guest.js";
import type { moveOn as MoveOn } from "./place.js";
import type { Session } from "./session.js";
import type { Database, Went } from "./storage/database.js";
import { wasLeft } from "./storage/former.js";
import { part } from "./surroundings.js";
import type { Auth } from "./sync/tokens.js";

/** What to do about unsent writes when signing out. */
export type UnsyncedChoice = "push" | "keep" | "discard";

export class Accounts {
  readonly #current: Current;
  /** Opens an account's session, or a guest's. */
  readonly #open: (auth: Auth | null) => Promise<Session>;
  /** Settled when no sign-in or sign-out is under way. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The session that is to be left for one in the next place, and the one that is being left. */
  #goingOn: Session | null = null;
  #moving: Session | null = null;
  /** The account that is filled while the guest goes on. */
  #joining: Promise<Session> | null = null;
  /** What is unsent is being sent before a sign-out, also where syncing was stopped. */
  sendsLast = false;

  constructor(current: Current, open: (auth: Auth | null) => Promise<Session>) {
    this.#current = current;
    this.#open = open;
  }

  signIn(auth: Auth, guest: GuestChoice, within: number): Promise<void> {
    return this.#inTurn(() => this.#signIn(auth, guest, within));
  }

  signOut(unsynced: UnsyncedChoice, within: number): Promise<void> {
    return this.#inTurn(() => this.#signOut(unsynced, within));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #signIn(auth: Auth, guest: GuestChoice, within: number): Promise<void> {
    const before = await this.#inLastPlace(await this.#current.opening);
    if (before.account !== null)
      throw new SynclineError("signed_in", "sign out before signing in as somebody else");
    // Whatever may take its time is done before anybody has to wait for it.
    const { moveIn } = await part(() => import("./guest.js"), this.#current.ended);
    await before.salvage();
    const filled = guest === "keep-local" ? await this.#filled(auth, within) : undefined;
    await this.#current.exchange(async () => {
      const account = filled ?? (await this.#open(auth));
      return closedUnless(account, async () => {
        await moveIn(before, account, guest);
        return account;
      });
    }, before);
  }

  /** The account with everything the hub has, while the guest goes on. */
  async #filled(auth: Auth, within: number): Promise<Session> {
    const opening = (this.#joining = this.#open(auth));
    try {
      const account = await opening;
      return await closedUnless(account, async () => {
        const late = new Deadline(within, () => {
          const { code = "unreachable", message = "the hub did not answer in time" } =
            account.activity.error ?? {};
          return new SynclineError(code, message);
        });
        account.start();
        await late.before(account.filled()).finally(() => late.clear());
        return account;
      });
    } finally {
      this.#joining = null;
    }
  }

  async #signOut(unsynced: UnsyncedChoice, within: number): Promise<void> {
    if (!["push", "keep", "discard"].includes(unsynced))
      throw new SynclineError("value_invalid", "unsynced is push, keep or discard");
    const current = this.#current;
    const before = await this.#inLastPlace(await current.opening);
    if (before.account === null) return;
    // Opened before anything is given up: without it there would be nowhere to go.
    const guest = await this.#open(null);
    try {
      if (unsynced === "discard") await before.leave({ onlyIfSent: false });
      if (unsynced === "push") await this.#leaveSent(before, within);
      // Without room for that, what is kept is merged if the next guest replaces the account.
      if (unsynced === "keep") await noteOver(guest.db, before.db.asked).catch(() => {});
    } catch (error) {
      guest.close();
      if (current.session === before || current.ended.aborted) throw error;
      // Another tab was faster.
      await current.opening;
      return;
    }
    if (current.session !== before) return guest.close();
    await current.become(before, async () => guest);
  }

  /** Sends what is unsent and leaves when there is nothing more, whoever writes meanwhile. */
  async #leaveSent(session: Session, within: number): Promise<void> {
    const late = new Deadline(
      within,
      () => new SynclineError("unsynced", "unsent writes could not be sent in time"),
    );
    this.sendsLast = true;
    try {
      while (!(await session.leave({ onlyIfSent: true }))) {
        session.start();
        await late.before(session.caughtUp());
        if ((await session.db.rejected.count()) > 0)
          throw new SynclineError("unsynced", "refused writes wait for a decision");
      }
    } catch (error) {
      if (!this.#current.syncs) session.stop();
      throw error;
    } finally {
      this.sendsLast = false;
      late.clear();
    }
  }

  /** Another tab has signed the account out: there is no way back to it. */
  async signedOut(session: Session): Promise<void> {
    const current = this.#current;
    const go = () => current.become(session, () => this.#open(null));
    // Who waits in a sign-out for what is to be sent need not wait any more.
    if (current.session === session && this.#moving !== session) return go();
    // It may be what a sign-in ends with that is under way.
    await this.#inTurn(async () => current.session === session && go());
  }

  /** Another tab has gone to the next place. It may be told again and again until that is done. */
  async goOn(session: Session): Promise<void> {
    if (this.#goingOn === session) return;
    this.#goingOn = session;
    const go = () => this.#inLastPlace(session);
    // Whose turn it is may wait for this very database to be open again.
    const gone = session.isReopening ? go() : this.#inTurn(go);
    await gone.finally(() => (this.#goingOn = null));
  }

  /**
   * Goes where another tab has gone that could not open the database which this one has open, with
   * all that is unsent. Where the account was signed out since, this tab is a guest's too.
   */
  async #inLastPlace(before: Session): Promise<Session> {
    if (this.#current.session !== before || !(await before.isBehind())) return before;
    const { moveOn } = await part(() => import("./place.js"), this.#current.ended);
    if (this.#current.session !== before) return this.#current.opening;
    this.#moving = before;
    try {
      return await this.#current.exchange(() => this.#next(before, moveOn), before);
    } finally {
      this.#moving = null;
    }
  }

  async #next(before: Session, moveOn: typeof MoveOn): Promise<Session> {
    const auth = before.options.engine?.auth ?? null;
    const next = await this.#open(auth);
    const isLeft = await closedUnless(next, async () => {
      if (auth && (await wasLeft(next.db))) return true;
      // One that was deleted has nothing.
      if (before.isReopening) before.close();
      else await moveOn(before, next);
      return false;
    });
    if (!isLeft) return next;
    next.close();
    const guest = await this.#open(null);
    before.close();
    return guest;
  }

  /** Ends what waits for the hub, which may never be there. */
  async close(): Promise<void> {
    await this.#joining?.then(
      (account) => account.close(),
      () => {},
    );
  }
}

/** Who signs in to this account from now on is another guest than who did before. */
function noteOver(guest: Database, account: string): Promise<void> {
  return guest.everything(async () => {
    const client = await guest.read("client");
    const went = client.went?.map((one): Went => {
      return one.name === account ? { ...one, isOver: true } : one;
    });
    if (went) await guest.keep("client", { ...client, went });
  });
}

/** A session that is not used by anybody is closed. */
async function closedUnless<T>(session: Session, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    session.close();
    throw error;
  }
}
