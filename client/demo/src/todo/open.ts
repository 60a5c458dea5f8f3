/** Opens the app's store: for whoever was signed in here last, or a guest. */
import {
  createLocalStore,
  type Edit,
  type LocalCollection,
  type LocalStore,
  type Surroundings,
} from "@syncline/sdk";
import { notificationRecords, type NotificationRecord } from "@syncline/sdk/notifications";
import { collectionsOf, type Collections } from "@syncline/apps/app";
import { todo } from "@syncline/apps/todo";
import { authOf } from "./account";
import { seeds } from "./seeds";

export type Todo = Collections<typeof todo.tables> & {
  store: LocalStore;
  /** Where the hub is. */
  serverUrl: string;
  /** What the hub has told, the newest with the last id. */
  told: LocalCollection<NotificationRecord>;
  /** As the store's, whoever it is of by then. */
  write(edits: Edit[]): Promise<{ id: string }>;
  /** Whose it was when it was opened; `null` for a guest's. */
  openedFor: string | null;
};

/** Milliseconds from a write to its sending: what is typed goes together. */
const PUSH_DEBOUNCE = 300;

interface Opening {
  account: string | null;
  /** Where the hub is. */
  serverUrl: string;
  /** By default what this app begins with. */
  begins?: Partial<typeof seeds>;
  surroundings?: Partial<Surroundings>;
}

export function openTodo({ account, serverUrl, begins = seeds, surroundings }: Opening): Todo {
  const collections = collectionsOf(todo, {
    seeds: begins,
    sync: { pushDebounce: PUSH_DEBOUNCE },
  });
  const told = notificationRecords();
  const store = createLocalStore({
    appId: todo.id,
    serverUrl,
    collections: [...Object.values(collections), told],
    auth: account === null ? null : authOf(account),
    surroundings,
  });
  const write = (edits: Edit[]) => store.write(edits);
  return { ...collections, store, serverUrl, told, write, openedFor: account };
}
