/** Looks at what waits that overtake each other. */
import { Dexie } from "dexie";
import { expect, test, vi } from "vitest";
import { Database } from "../../src/storage/database";
import { Disk, reaches } from "../device";
import { passes } from "../eventually";

test("a look that was overtaken still tells what only it has seen", async () => {
  const disk = new Disk();
  const { store, tasks } = disk.open({ serverUrl: "http://127.0.0.1:1", autoSync: false });
  const write = await tasks.insert({ id: "k", title: "waits" });
  await store.signIn({ account: "ada", token: () => null });

  // The next look that reads what was lost goes on no further until it is let.
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  let reached = () => {};
  const reading = new Promise<void>((resolve) => (reached = resolve));
  const read = Object.getOwnPropertyDescriptor(Database.prototype, "read")?.value as Read;
  const slow = vi.spyOn(Database.prototype, "read").mockImplementation(async function (
    this: Database,
    key,
  ) {
    const found = (await read.call(this, key)) as never;
    if (key === "lost" && found === "evicted") {
      reached();
      await Dexie.waitFor(held);
    }
    return found;
  });
  const other = new Database("syncline/todo/user/ada", [], disk.surroundings().engine);
  await other.keep("lost", "evicted");
  await reading;
  // Another look that counts, and tells a waiter nothing yet.
  const looked = vi.spyOn(Database.prototype, "read");
  void write.synced().catch(() => {});
  await passes(() => expect(looked.mock.calls.map(([key]) => key)).toContain("client"));
  slow.mockRestore();
  go();
  await reaches(store, ({ error }) => error?.code === "storage_lost");
  other.close();
  await store.close();
});

type Read = (this: Database, key: string) => Promise<unknown>;
