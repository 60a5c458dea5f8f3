/** Pushes that a hub refuses as a whole, which must not block what is in them. */
import { afterEach, expect, test } from "vitest";
import { WebSocket as NodeSocket } from "ws";
import type { Write } from "../../src/index";
import { Disk, reaches } from "../device";
import { Hub } from "../hub";

let hub: Hub;
afterEach(() => hub.stop());

function open(transport: "websocket" | "http") {
  const auth = { account: "ada", token: () => hub.token("ada") };
  return new Disk().open({ serverUrl: hub.url, auth, transport, autoSync: false });
}

/** What the device wrote and what became of it: verdicts by id, and what is at the hub. */
async function sync(app: ReturnType<typeof open>, titles: Record<string, string>) {
  const writes: Write[] = [];
  for (const [id, title] of Object.entries(titles))
    writes.push(await app.tasks.insert({ id, title }));
  app.store.startSync();
  const verdict = (write: Write) => write.synced().catch((error: { code: string }) => error.code);
  const verdicts = await Promise.all(
    writes.map(async (write) => [write.id, await verdict(write)] as const),
  );
  await app.store.caughtUp();
  return { verdicts: Object.fromEntries(verdicts), held: Object.keys(await hub.holds("ada")) };
}

const titles = (count: number, title: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, title]));

test.each(["websocket", "http"] as const)(
  "a hub that takes few changes at once is sent few, over %s",
  async (transport) => {
    hub = await Hub.start({ HUB__LIMITS__CHANGES_PER_PUSH_MAX: "3" });
    const app = open(transport);
    const { verdicts, held } = await sync(app, titles(20, "small"));
    expect(new Set(Object.values(verdicts))).toEqual(new Set(["applied"]));
    expect(held).toHaveLength(20);
    expect(await app.store.rejected.list()).toEqual([]);
    await app.store.close();
  },
);

test("a mutation that is too large for a request is rejected alone", async () => {
  hub = await Hub.start({ HUB__GATEWAY__BODY_BYTES_MAX: "2048" });
  const app = open("http");
  const all = titles(20, "small");
  all["k0"] = all["k7"] = all["k8"] = all["k19"] = "x".repeat(3_000);
  const { verdicts, held } = await sync(app, all);
  for (const [id, title] of Object.entries(all))
    expect([id, verdicts[id]]).toEqual([id, title === "small" ? "applied" : "body_too_large"]);
  expect(held).toHaveLength(16);
  const rejected = await app.store.rejected.list();
  expect(rejected.map(({ code, changes }) => [code, changes[0]?.id])).toEqual(
    ["k0", "k7", "k8", "k19"].map((id) => ["body_too_large", id]),
  );
  await app.store.close();
});

test("a refusal is told until a verdict shows that pushes are taken again", async () => {
  hub = await Hub.start();
  let isDamaged = true;
  /** Damages the first push on its way. */
  class Damaging extends NodeSocket {
    override send(text: string): void {
      const isPush = (JSON.parse(text) as { t: string }).t === "push";
      super.send(isPush && isDamaged ? '{"t":"push","muts":0}' : text);
      if (isPush) isDamaged = false;
    }
  }
  const { store, tasks } = new Disk().open({
    serverUrl: hub.url,
    auth: { account: "ada", token: () => hub.token("ada") },
    transport: "websocket",
    around: { WebSocket: Damaging as unknown as typeof WebSocket },
  });
  await store.caughtUp();
  const statuses: string[] = [];
  store.onStatus(({ status }) => statuses.push(status));
  const isTold = reaches(store, ({ error }) => error?.code === "bad_message");
  const write = await tasks.insert({ title: "pushed again" });
  await isTold;
  expect(await write.synced()).toBe("applied");
  await store.caughtUp();
  expect(store.status).toMatchObject({ status: "synced", error: null });
  // On the link there was.
  expect(statuses).not.toContain("offline");
  await store.close();
});
