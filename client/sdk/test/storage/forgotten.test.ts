/** What became of mutations of long ago. */
import { expect, test } from "vitest";
import { receive } from "../../src/core/replica";
import { carryOut } from "../../src/storage/incoming";
import { openDatabase } from "../../src/storage/open";
import { renumber } from "../../src/storage/sending";
import { look, settle } from "../../src/storage/verdicts";
import { surroundings } from "../../src/surroundings";
import { Disk } from "../device";

const auth = { account: "ada", token: () => null };

async function database() {
  return openDatabase("x", [], surroundings(new Disk().surroundings()));
}

test("what was given up is not told as applied when that is remembered no longer", async () => {
  const db = await database();
  const superseded = (n: number) => ({ n, status: "superseded" }) as const;
  const settles = (first: number, count: number) =>
    db.everything(() =>
      settle(
        db,
        Array.from({ length: count }, (_, at) => superseded(first + at)),
      ),
    );
  await db.everything(() => settle(db, [{ n: 1, status: "discarded" }]));
  await settles(2, 999);
  expect((await look(db, [1])).verdicts.get(1)?.status).toBe("discarded");
  await settles(1_001, 1);
  expect((await look(db, [1])).verdicts.get(1)?.status).toBe("forgotten");
  expect((await look(db, [2])).verdicts.get(2)?.status).toBe("superseded");
  db.close();
});

test("what was erased is not told as applied after another erasure", async () => {
  const db = await database();
  const n = await db.outbox.add({ c: [], k: [], w: 0 });
  for (let times = 0; times < 2; times++) {
    await db.everything(async () => {
      const replica = await db.read("replica");
      await carryOut(db, replica, receive(replica, { t: "reset", why: "erased", epoch: "e" }, "e"));
    });
    expect((await look(db, [n])).verdicts.get(n)?.status).toBe("discarded");
  }
  db.close();
});

test("a guest's write that moved and was not sent is not told as applied after another sign-in", async () => {
  const disk = new Disk();
  const given = { serverUrl: "http://127.0.0.1:1", autoSync: false, around: disk.tabs };
  const [guest, other] = [disk.open(given), disk.open(given)];
  const write = await other.tasks.insert({ id: "x", title: "at no hub" });
  await guest.store.signIn(auth);
  await guest.store.signOut({ unsynced: "keep" });
  await guest.store.signIn(auth, "keep-server");
  let told = "waits";
  const waits = write.synced().then(
    (verdict) => (told = verdict),
    (error: { code: string }) => (told = error.code),
  );
  // What was written after it is still a guest's, and waits as well.
  const later = await other.tasks.insert({ id: "y", title: "a guest's" });
  const waitsToo = later.synced().catch((error: { code: string }) => error.code);
  await guest.store.signOut({ unsynced: "discard" });
  await waits;
  expect(told).toBe("stopped");
  await guest.store.close();
  await other.store.close();
  expect(await waitsToo).toBe("stopped");
});

test("what is forgotten stays so, also under another client id", async () => {
  const db = await database();
  const settles = (ns: number[]) =>
    db.everything(() =>
      settle(
        db,
        ns.map((n) => ({ n, status: "discarded" }) as const),
      ),
    );
  await settles(Array.from({ length: 1_001 }, (_, at) => at + 600));
  // One of long before was refused until now, and tried again.
  await settles([500]);
  await db.everything(() => renumber(db));
  for (const n of [500, 600])
    expect((await look(db, [n])).verdicts.get(n)?.status).toBe("forgotten");
  db.close();
});
