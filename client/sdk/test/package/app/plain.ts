/** An app without a framework: what it may write and what it gets, by type. */
import {
  createLocalCollection,
  createLocalStore,
  RejectedError,
  SynclineError,
  type Inspection,
  type Json,
  type PastError,
  type Rejected,
  type Status,
  type SyncStatus,
} from "@syncline/sdk";
import { holds, type Same } from "./types.js";

export interface Task {
  id: string;
  title: string;
  done?: boolean;
}

interface Made {
  id: string;
  n: number;
  kind: "a" | "b";
  at: string | null;
  tags: string[];
  any: Json;
}

export const tasks = createLocalCollection<Task>({
  name: "tasks",
  indexes: ["title"],
  seed: [{ id: "seed", title: "Try me" }],
  sync: { pushDebounce: 0, pullInterval: 1_000 },
});

export const store = createLocalStore({
  appId: "todo",
  serverUrl: "http://127.0.0.1:1",
  collections: [tasks],
  autoSync: false,
  tables: "declared",
  transport: "websocket",
  auth: {
    account: "ada",
    token: ({ refused }) => {
      holds<Same<typeof refused, boolean>>();
      return null;
    },
  },
  surroundings: { now: () => 0 },
});

export async function reads(): Promise<void> {
  const one = await tasks.get("k");
  holds<Same<typeof one, Task | undefined>>();
  const some = await tasks.query({ filter: { title: { gt: "a" } }, sort: ["-title", "id"] });
  holds<Same<typeof some, Task[]>>();
  await tasks.query({ filter: { done: true, title: { in: ["a", "b"] }, id: "k" } });
  const made = createLocalCollection<Made>({ name: "made" });
  await made.query({ filter: { n: { gte: 1, lt: 3 }, kind: "a", tags: ["x"], any: { gt: "a" } } });
  await made.query({ filter: { kind: { in: ["a", "b"] }, at: null, any: [1, { x: 2 }] } });
  await tasks.query({ filter: (task) => (holds<Same<typeof task, Task>>(), true) });
  const end = tasks.live().subscribe((found) => holds<Same<typeof found, Task[]>>());
  holds<Same<typeof end, () => void>>();
  tasks.liveGet("k").subscribe((found) => holds<Same<typeof found, Task | undefined>>());
  tasks.liveCount().subscribe((found) => holds<Same<typeof found, number>>());
  store.onStatus((status) => holds<Same<typeof status, Status>>());
  holds<Same<Status["status"], SyncStatus>>();
  holds<Same<(typeof store)["account"], string | null>>();
  const inside = await store.inspect();
  holds<Same<typeof inside, Inspection>>();
  holds<Same<(typeof inside)["outbox"], number>>();
  holds<Same<(typeof store.errors)[number], PastError>>();
  const refused = await store.rejected.list();
  holds<Same<typeof refused, Rejected[]>>();
  store.ephemeral.onBroadcast(({ data }) => holds<Same<typeof data, Json>>());
}

export async function writes(): Promise<void> {
  const write = await tasks.insert({ title: "Buy milk" });
  holds<Same<(typeof write)["id"], string>>();
  try {
    const verdict = await write.synced();
    holds<Same<typeof verdict, "applied" | "superseded">>();
  } catch (error) {
    if (error instanceof RejectedError) holds<Same<typeof error.id, number>>();
    if (error instanceof SynclineError && error.code === "quota") throw error;
  }
  await store.write([tasks.edits.update("k", { done: true }), tasks.edits.delete("l")]);
  await store.signOut({ unsynced: "push", within: 1_000 });
}

export function isWrong(): void {
  // @ts-expect-error: no such field
  createLocalCollection<Task>({ name: "tasks", indexes: ["titel"] });
  // @ts-expect-error: no app
  createLocalStore({ collections: [tasks] });
  // @ts-expect-error: no such transport
  createLocalStore({ appId: "todo", collections: [tasks], transport: "pigeon" });
  // @ts-expect-error: a title is missing
  void tasks.insert({ done: true });
  // @ts-expect-error: a title is a text
  void tasks.update("k", { title: 1 });
  // @ts-expect-error: no such field
  void tasks.query({ sort: "titel" });
  // @ts-expect-error: no such field
  void tasks.query({ sort: ["title", "-titel"] });
  // @ts-expect-error: it is true or false
  void tasks.query({ filter: { done: "yes" } });
  // @ts-expect-error: neither is more
  void tasks.query({ filter: { done: { gt: false } } });
  // @ts-expect-error: a title is a text
  void tasks.count({ filter: { title: { gte: 1 } } });
  // @ts-expect-error: a title is a text
  tasks.live({ filter: { title: { in: [1] } } });
  // @ts-expect-error: no such field
  tasks.liveCount({ filter: { titel: "a" } });
  // @ts-expect-error: no such choice
  void store.signOut({ unsynced: "forget" });
  // @ts-expect-error: no such status
  store.onStatus(({ status }) => status === "asleep");
}
