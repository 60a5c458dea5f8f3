/** Queries that go on answering, of whichever session a store has. */
import { liveQuery } from "dexie";
import type { Home, Live } from "./collection.js";
import type { Session } from "./session.js";
import { isCutOff } from "./storage/open.js";

type Answer<R> = { result: R } | { fault: unknown };

export function liveOf<R>(home: () => Home, ask: (session: Session) => Promise<R>): Live<R> {
  return {
    subscribe: (next, error = () => {}) => {
      let running: { unsubscribe(): void } | undefined;
      const end = home().eachSession((session) => {
        running?.unsubscribe();
        const failed = (fault: unknown) => error(session.toSyncline(fault));
        running = liveQuery(() => answer(session, ask)).subscribe({
          next: (told) => ("result" in told ? next(told.result) : failed(told.fault)),
          error: failed,
        });
      });
      return () => {
        end();
        running?.unsubscribe();
      };
    },
  };
}

/**
 * Dexie watches what a query has read only once that has answered. So one that fails answers too, or
 * it would not be asked again when what it failed in changes.
 */
async function answer<R>(session: Session, ask: (session: Session) => Promise<R>) {
  try {
    return { result: await ask(session) } as Answer<R>;
  } catch (fault) {
    // The browser closed the database. It is asked again when that is open.
    if (isCutOff(fault)) throw fault;
    return { fault } as Answer<R>;
  }
}
