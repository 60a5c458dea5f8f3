/** The app of the browser tests: what a test calls is put on the window. */
import {
  createLocalCollection,
  createLocalStore,
  type Identified,
  type LocalStore,
} from "../../../src/index";

export interface Task extends Identified {
  title: string;
  done?: boolean;
}

const tasks = createLocalCollection<Task>({
  name: "tasks",
  seed: [{ id: "seed", title: "Try me" }],
  sync: { pushDebounce: 0 },
});

/** Opens the store; without an account as a guest. The test gives tokens by `token`. */
function open(serverUrl: string, account: string | null): LocalStore {
  const store = createLocalStore({
    appId: "todo",
    serverUrl,
    collections: [tasks],
    auth: account === null ? null : auth(account),
  });
  return (app.store = store);
}

/** Without the hub there is no token either; a page's own `fetch` would say it so. */
const auth = (account: string) => ({
  account,
  token: ({ refused }: { refused: boolean }) =>
    window.token(account, refused).catch((error: unknown) => {
      throw new TypeError("Failed to fetch", { cause: error });
    }),
});

/** Resolves when the task's title is shown. */
function shows(id: string, title: string): Promise<void> {
  return new Promise((resolve) => {
    const end = tasks.liveGet(id).subscribe((task) => {
      if (task?.title === title) queueMicrotask(() => (end(), resolve()));
    });
  });
}

/** This tab's transactions that have not ended, and what waits until there are none. */
const running = new Set<IDBTransaction>();
const waiting: (() => void)[] = [];

/** Calls back in a moment in which this tab has no transaction: one that is open blocks others. */
function atRest(call: () => void): void {
  waiting.push(call);
  if (running.size === 0) waiting.splice(0).forEach((each) => each());
}

// Before the store opens its database.
const { transaction: begin } = IDBDatabase.prototype;
IDBDatabase.prototype.transaction = function (...asked) {
  const begun = begin.apply(this, asked);
  running.add(begun);
  const ended = () => {
    running.delete(begun);
    if (running.size === 0) waiting.splice(0).forEach((each) => each());
  };
  for (const event of ["complete", "abort"]) begun.addEventListener(event, ended);
  return begun;
};

const app = { open, auth, shows, atRest, tasks, store: undefined as unknown as LocalStore };
export type App = typeof app;

declare global {
  interface Window {
    app: App;
    token(account: string, refused: boolean): Promise<string | null>;
  }
}
window.app = app;
