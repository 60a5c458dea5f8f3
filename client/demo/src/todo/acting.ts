/**
 * What somebody does to the app's data, as whoever it was asked of. Other tabs sign in and out while it is
 * done: then nothing of it lands with another account, nor with a guest who comes after one.
 */
import { SynclineError, type Edit } from "@syncline/sdk";
import type { Todo } from "./open";

type Table = "tasks" | "projects" | "labels" | "taskLabels" | "reminders";

/** Reads what is there, and writes. */
export type Acting = {
  readonly [N in Table]: Pick<Todo[N], "get" | "query" | "count" | "edits">;
} & {
  /** All at once; returns the first record's id. Errors: those of the store. */
  write(edits: Edit[]): Promise<{ id: string }>;
};

export interface Actor extends Acting {
  /** Whether the store is still theirs. One that cannot be opened for now is; one that was closed is nobody's. */
  isStill(): Promise<boolean>;
}

/**
 * Whose page it is: an account's, or a guest's with `null`; how many accounts were left in it before, and
 * the stay, which ends where a guest is forgotten, in whichever tab.
 */
export interface Whose {
  account: string | null;
  left: number;
  stay: string;
}

/** Who does something on a page that is theirs now. `now`: whose it is later. */
export function actorOn(todo: Todo, now: () => Whose): Actor {
  const { store } = todo;
  const asked = now();
  /** Whose it is by now; `null` where a guest's may be any, and `undefined` once it is nobody's. */
  const owner = (): string | null | undefined => {
    if (asked.account !== null) return asked.account;
    // A guest's goes along into the account, but for one's who is forgotten.
    const { account, left, stay } = now();
    return left === asked.left && stay === asked.stay ? account : undefined;
  };
  return {
    ...todo,
    write: async (edits) => {
      const account = owner();
      if (account === undefined) throw new SynclineError("signed_out", "that guest is gone");
      return store.write(edits, account === null ? {} : { account });
    },
    isStill: async () => {
      const fault = await store.ready().then(
        () => null,
        (error: SynclineError) => error.code,
      );
      if (fault === "stopped") return false;
      const account = owner();
      if (account === null || account === undefined) return account === null;
      return fault !== null || account === store.account;
    },
  };
}
