/** A device whose database is older than what it has sent: a profile put back, or power that failed. */
import { IDBKeyRange } from "fake-indexeddb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database, databaseName } from "../../src/storage/database";
import { Disk } from "../device";
import { Hub } from "../hub";

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

/** Verdicts the hub remembers; of older numbers it only knows that there was one. */
const REMEMBERED = 256;

test.each([3, REMEMBERED + 10])(
  "what is written after %i numbers were forgotten is not taken for what they were",
  async (forgotten) => {
    const account = `rewound-${forgotten}`;
    const auth = { account, token: () => hub.token(account) };
    const disk = new Disk();
    const before = disk.open({ serverUrl: hub.url, auth });
    await before.store.ready();
    const ids = Array.from({ length: forgotten }, (_, at) => `k${at}`);
    for (const id of ids) await before.tasks.insert({ id, title: "sent" });
    await before.store.caughtUp();
    await before.store.close();

    const engine = { indexedDB: disk.indexedDB, IDBKeyRange };
    const db = new Database(databaseName("todo", account), ["n"], engine);
    const client = await db.read("client");
    expect(client.last).toBe(forgotten);
    await db.keep("client", { ...client, last: 0, confirmed: 0 });
    db.close();

    const after = disk.open({ serverUrl: hub.url, auth });
    const write = await after.tasks.insert({ id: "new", title: "afterwards" });
    expect(await write.synced()).toBe("applied");
    await after.store.caughtUp();
    const held = await hub.holds(account);
    expect(Object.keys(held).sort()).toEqual([...ids, "new"].map((id) => `tasks/${id}`).sort());
    expect(await after.tasks.count()).toBe(forgotten + 1);
    await after.store.close();
  },
);
