/** Signing out, and what is said of it. */
import type { UnsyncedChoice } from "@syncline/sdk";
import { sayFault } from "../model/faults";
import { remembered, signOut } from "../todo/account";
import { endPush, hubOf } from "../todo/push";
import type { App } from "./app.svelte";

/** For whom nobody can ask. */
const NOT_SENT = "You are still signed in: some of what you wrote has not been sent.";

/** `ask` is called if something is unsent; `false` says that it cannot ask what to do about it. */
export async function leave(
  app: App,
  unsynced: UnsyncedChoice,
  ask: () => boolean = () => false,
): Promise<void> {
  const { store, serverUrl } = app.todo;
  const account = store.account ?? remembered();
  try {
    await signOut(store, unsynced);
    if (account !== null) void endPush(hubOf(account, serverUrl)).catch(() => {});
    app.becomes(store.account);
    app.say("Signed out");
  } catch (error) {
    if ((error as { code?: string }).code !== "unsynced") app.say(sayFault(error));
    else if (!ask()) app.say(NOT_SENT);
  }
}
