/** Who is signed in on this device. The hub's development issuer gives the tokens. */
import type { Auth, GuestChoice, LocalStore, UnsyncedChoice } from "@syncline/sdk";
import { dropDrafts, giveDrafts } from "./drafts";
import { beginStay, resumeStay, stayHere } from "./era";
import { keep } from "./keep";
import type { Todo } from "./open";

/** Where the account's name outlives the page. */
const KEY = "syncline-todo-account";

/** How the account is being signed out, until that is over. Its page may end before. */
const LEAVING = "syncline-todo-leaving";

/** How long what is unsent may take, in milliseconds. */
const WITHIN_MS = 5_000;

/** For a hub without a development issuer. */
const NO_SIGN_IN =
  "This hub has no demo sign-in. Todo goes on working on this device. To try it with others, start a " +
  "hub that has one (make run, or hub serve --dev) and open the Todo it serves.";

/** The account of the last visit; `null` for a guest. */
export function remembered(): string | null {
  return localStorage.getItem(KEY);
}

export function remember(account: string | null): void {
  keep(localStorage, KEY, account);
}

/** Errors: those of the store; then the account stays. */
export async function signOut(store: LocalStore, unsynced: UnsyncedChoice): Promise<void> {
  keep(localStorage, LEAVING, unsynced);
  // The last page may have signed out of the store, and ended before it was over.
  const account = store.account ?? remembered();
  // Other tabs may be told before this one's is over.
  beginStay();
  try {
    await inTurn(store, async () => {
      await store.signOut({ unsynced, within: WITHIN_MS });
      remember(null);
    });
    if (unsynced !== "keep" && account !== null) dropDrafts(account);
  } finally {
    keep(localStorage, LEAVING, null);
  }
}

/** What becomes of a guest's data. With `nothing` there is none but what is being typed, which goes along. */
export type Arrival = GuestChoice | "nothing";

/** Errors: those of the store; then the guest stays. */
export function signIn(store: LocalStore, account: string, how: Arrival): Promise<void> {
  const isForgotten = how === "keep-server";
  return inTurn(store, async () => {
    const stay = stayHere();
    // What waits to be done for the guest is not to be done for the account, in other tabs neither.
    if (isForgotten) beginStay();
    try {
      await store.signIn(authOf(account), how === "nothing" ? "keep-server" : how);
    } catch (error) {
      if (isForgotten) resumeStay(stay);
      throw error;
    }
    if (isForgotten) dropDrafts(null);
    else giveDrafts(account);
    remember(account);
  });
}

const turns = new WeakMap<LocalStore, Promise<unknown>>();

/** Whose a store is changes once at a time: what it is to be may be another by then. */
function inTurn(store: LocalStore, work: () => Promise<void>): Promise<void> {
  const done = (turns.get(store) ?? Promise.resolve()).then(work);
  turns.set(
    store,
    done.catch(() => {}),
  );
  return done;
}

/** How the last page was signing out when it ended; `null` if it was not. */
export const leaving = () => localStorage.getItem(LEAVING) as UnsyncedChoice | null;

/** Without a network it throws what `fetch` throws, which the store takes as being offline. */
export async function token(user: string): Promise<string> {
  const body = JSON.stringify({ user, ttl_s: 3_600 });
  const answer = await fetch("/dev/token", { method: "POST", body });
  // A proxy between that finds nobody: as good as no network.
  if (answer.status === 502 || answer.status === 503) throw new TypeError("the hub is away");
  if (answer.status === 404) throw new Error(NO_SIGN_IN);
  const said = (await answer.json().catch(() => ({}))) as { token?: string; message?: string };
  if (!answer.ok || !said.token) throw new Error(said.message ?? `no token: ${answer.status}`);
  return said.token;
}

/**
 * A guest who signs in in another tab is no guest here either: what is written in this one goes along.
 * Nor is an account signed in here that was signed out there, whatever was to become of what is unsent.
 * Returns what ends it.
 */
export function follow(store: LocalStore): () => void {
  let isOver = false;
  // What an event tells of may be over by the time it is heard.
  const reconcile = async () => {
    for (;;) {
      await store.ready().catch(() => {});
      const account = remembered();
      if (isOver || store.account === account) return;
      if (store.account !== null) await store.signOut({ unsynced: "keep" });
      else if (account !== null) await store.signIn(authOf(account));
    }
  };
  // If it fails this tab stays whose it was, and says so.
  const look = () => void inTurn(store, reconcile).catch(() => {});
  const listening = new AbortController();
  const { signal } = listening;
  addEventListener("storage", ({ key }) => key === KEY && look(), { signal });
  // One that stood still meanwhile was not told.
  addEventListener("pageshow", ({ persisted }) => persisted && look(), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || look(), { signal });
  return () => {
    isOver = true;
    listening.abort();
  };
}

/**
 * Calls back when somebody has signed in or out, here or in another tab. A store that cannot be opened
 * for now, which is tried again and again, is nobody's: its account is the one it had. Returns what
 * ends it.
 */
export function onExchange(
  { store, openedFor }: Todo,
  call: (account: string | null) => void,
): () => void {
  let account = openedFor;
  let isOver = false;
  const look = () => {
    if (isOver || store.account === account) return;
    account = store.account;
    call(account);
  };
  const end = store.onStatus(() => {
    // A status may be told just before the store is the next one's.
    void Promise.resolve()
      .then(() => store.ready())
      .then(look, () => {});
  });
  return () => {
    isOver = true;
    end();
  };
}

export const authOf = (account: string): Auth => ({ account, token: () => token(account) });
