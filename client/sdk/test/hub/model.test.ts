/**
 * Random histories against the real hub: devices of one user, with one tab or several that come and
 * go, that are offline, crash, lose their storage (also under the open store), have wrong clocks, no
 * tokens or some that expire, while the hub is killed. When all of that ends, everybody must show
 * what the hub holds, and nothing that was acknowledged may be missing.
 *
 * MODEL_RUNS is how many histories are tried. A failure is shrunk when it is repeated with the
 * MODEL_SEED it names: that may take long, since every try may wait until it is late.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, test } from "vitest";
import { Disk } from "../device";
import { Hub } from "../hub";
import { Proxy } from "../proxy";

const RUNS = Number(process.env["MODEL_RUNS"] ?? 12);
const SEED = process.env["MODEL_SEED"];
const DEVICES = 3;
const TABS_MAX = 3;

/** How long everything may take to be equal once the faults have ended. */
const SETTLES_WITHIN_MS = 30_000;

/** What one edit of several does to a record; `set` inserts it where it is not there. */
type Op = "set" | "delete";

type Step =
  | { do: "insert" | "update" | "own" | "delete"; device: number; key: number }
  | { do: "write"; device: number; key: number | null; ops: Op[] }
  | {
      do:
        | ("down" | "up" | "crash" | "evict" | "lose-disk" | "expire" | "short" | "sync")
        | ("tab" | "close-leader" | "close-tab");
      device: number;
    }
  | { do: "clock"; device: number; ms: number }
  | { do: "lose"; device: number; bytes: number }
  | { do: "kill" };

const device = fc.nat(DEVICES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("insert", "update", "own", "delete"),
      device,
      key: fc.nat(2),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("write"),
      device,
      key: fc.option(fc.nat(2)),
      ops: fc.array(fc.constantFrom("set", "delete"), { minLength: 2, maxLength: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("down", "up", "crash", "sync"), device }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("tab", "close-leader", "close-tab"), device }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("evict", "lose-disk", "expire", "short"),
      device,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("clock"),
      device,
      ms: fc.constantFrom(-3_600_000, -1_000, 30_000, 31_536_000_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lose"), device, bytes: fc.nat(600) }) },
  { weight: 1, arbitrary: fc.constant({ do: "kill" }) },
) as fc.Arbitrary<Step>;

let hub: Hub;
beforeAll(async () => {
  hub = await Hub.start();
});
afterAll(() => hub.stop());

/** One device with its disk, its network and its clock. */
class Subject {
  readonly name: string;
  readonly user: string;
  readonly proxy: Proxy;
  disk = new Disk();
  /** The oldest leads; one after the other writes. */
  tabs: ReturnType<Disk["open"]>[];
  clockOff = 0;
  hasToken = true;
  /** How long its tokens serve, in seconds. */
  ttl_s = 3_600;
  /** What it wrote last to the field only it writes; unknown once its storage was lost. */
  own: number | null = null;
  /** Records it inserted, by whether the hub acknowledged them. */
  readonly inserted = new Map<string, boolean>();
  #count = 0;
  #wasEvicted = false;

  constructor(number: number, user: string, proxy: Proxy) {
    this.name = `d${number}`;
    this.user = user;
    this.proxy = proxy;
    this.tabs = [this.open()];
  }

  get app() {
    return this.tabs[0]!;
  }

  open() {
    const token = () => (this.hasToken ? hub.token(this.user, this.ttl_s).catch(() => null) : null);
    return this.disk.open({
      serverUrl: this.proxy.url,
      auth: { account: this.user, token },
      around: { now: () => Date.now() + this.clockOff, ...this.disk.tabs },
    });
  }

  async close(): Promise<void> {
    for (const { store } of this.tabs) await store.close();
  }

  async crash(): Promise<void> {
    await this.close();
    this.tabs = [this.open()];
  }

  openTab(): void {
    if (this.tabs.length < TABS_MAX) this.tabs.push(this.open());
  }

  async closeTab(which: "close-leader" | "close-tab"): Promise<void> {
    if (this.tabs.length === 1) return;
    const closed = which === "close-leader" ? this.tabs.shift() : this.tabs.pop();
    await closed?.store.close();
  }

  /** While the store is open. */
  async evict(): Promise<void> {
    await this.disk.evict();
    this.#forget();
  }

  async loseDisk(): Promise<void> {
    await this.close();
    this.disk = new Disk();
    this.#forget();
    this.tabs = [this.open()];
  }

  #forget(): void {
    this.own = null;
    this.#wasEvicted = true;
    for (const [id, acknowledged] of this.inserted) if (!acknowledged) this.inserted.delete(id);
  }

  #writer() {
    return this.tabs[this.#count % this.tabs.length]!;
  }

  async insert(): Promise<void> {
    const id = `${this.name}-${this.#count++}`;
    const write = await this.#writer().tasks.insert({ id, title: "new" });
    this.inserted.set(id, false);
    // It may have been evicted meanwhile.
    void write.synced().then(
      () => this.inserted.set(id, true),
      () => {},
    );
  }

  /** A write to a record that all of them write. */
  async change(kind: "update" | "own" | "delete", key: number): Promise<void> {
    const { tasks } = this.#writer();
    const id = kind === "own" ? this.name : `k${key}`;
    const n = this.#count++;
    const fields = { title: `${this.name} ${n}`, n };
    const isThere = (await tasks.get(id)) !== undefined;
    if (kind === "own" && !this.#wasEvicted) this.own = n;
    await this.#unlessOvertaken(id, async () => {
      if (kind === "delete") await tasks.delete(id);
      else if (isThere) await tasks.update(id, fields);
      else await tasks.insert({ id, ...fields });
    });
  }

  /** One write of several edits to a record that all of them write, or of the own one, which stays. */
  async write(key: number | null, ops: Op[]): Promise<void> {
    const { store, tasks } = this.#writer();
    const id = key === null ? this.name : `k${key}`;
    const all: Op[] = key === null ? [...ops, "set"] : ops;
    this.#count += all.length;
    let isThere = (await tasks.get(id)) !== undefined;
    const edits = all.map((op, at) => {
      // The later, the less: where the hub took the greater one it would show.
      const n = this.#count - 1 - at;
      const fields = { title: `${this.name} ${n}`, n };
      const wasThere = isThere;
      isThere = op === "set";
      if (op === "delete") return tasks.edits.delete(id);
      return wasThere ? tasks.edits.update(id, fields) : tasks.edits.insert({ id, ...fields });
    });
    if (key === null && !this.#wasEvicted) this.own = this.#count - all.length;
    await this.#unlessOvertaken(id, async () => void (await store.write(edits)));
  }

  /** Another device's change of a record that all write may have come in between, or one from a lost disk. */
  async #unlessOvertaken(id: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { code = "" } = error as { code?: string };
      const isOvertaken = ["record_missing", "record_exists"].includes(code);
      if (!isOvertaken || (id === this.name && this.own !== null)) throw error;
    }
  }
}

async function take(step: Step, subjects: Subject[]): Promise<void> {
  if (step.do === "kill") {
    await hub.end("SIGKILL");
    return hub.run();
  }
  const subject = subjects[step.device]!;
  switch (step.do) {
    case "insert":
      return subject.insert();
    case "update":
    case "own":
    case "delete":
      return subject.change(step.do, step.key);
    case "write":
      return subject.write(step.key, step.ops);
    case "down":
      return subject.proxy.goDown();
    case "up":
      return subject.proxy.comeUp();
    case "lose":
      return void subject.proxy.loseAfter(step.bytes);
    case "crash":
      return subject.crash();
    case "tab":
      return subject.openTab();
    case "close-leader":
    case "close-tab":
      return subject.closeTab(step.do);
    case "evict":
      return subject.evict();
    case "lose-disk":
      return subject.loseDisk();
    case "expire":
      subject.hasToken = false;
      return subject.proxy.cut();
    case "short":
      subject.ttl_s = 1;
      return subject.proxy.cut();
    case "clock":
      subject.clockOff = step.ms;
      return;
    case "sync":
      subject.hasToken = true;
      subject.proxy.comeUp();
      for (const { store } of subject.tabs) store.startSync();
  }
}

/** Ends every fault, and waits until all show what the hub holds. */
async function settle(subjects: Subject[], user: string): Promise<void> {
  for (const subject of subjects) {
    subject.hasToken = true;
    subject.proxy.comeUp();
    // It may wait long before it asks again for a token it did not get.
    await subject.crash();
  }
  for (const { app } of subjects) await within(app.store.caughtUp(), () => app.store.status);
  const held = await hub.holds(user);
  for (const subject of subjects) {
    let shown: unknown;
    const equal = new Promise<void>((resolve) => {
      const end = subject.app.tasks.live().subscribe((tasks) => {
        shown = Object.fromEntries(tasks.map(({ id, ...data }) => [`tasks/${id}`, data]));
        if (isDeepStrictEqual(shown, held)) queueMicrotask(() => (end(), resolve()));
      });
    });
    await within(equal, () => ({ device: subject.name, shown, held }));
    const rejected = await subject.app.store.rejected.list();
    // Another device deleted what was updated here, or the storage that held its insert was lost.
    const others = rejected.filter(({ code }) => code !== "record_unknown");
    if (others.length > 0) throw new Error(`rejected: ${JSON.stringify(others)}`);
    for (const id of subject.inserted.keys())
      if (!(`tasks/${id}` in held)) throw new Error(`${id} is lost`);
    const own = held[`tasks/${subject.name}`] as { n: number } | undefined;
    if (subject.own !== null && own?.n !== subject.own)
      throw new Error(`${subject.name} wrote ${subject.own} last, the hub has ${own?.n}`);
  }
}

async function within(work: Promise<void>, state: () => unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    const error = () => fail(new Error(`not settled: ${JSON.stringify(state(), null, 1)}`));
    timer = setTimeout(error, SETTLES_WITHIN_MS);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

let runs = 0;

test(
  "whatever happens, all end equal and nothing acknowledged is lost",
  { timeout: 30 * 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const user = `model-${runs++}`;
        const subjects: Subject[] = [];
        for (let number = 0; number < DEVICES; number++)
          subjects.push(new Subject(number, user, await Proxy.to(hub.port)));
        try {
          for (const one of steps) await take(one, subjects);
          await settle(subjects, user);
        } finally {
          for (const subject of subjects) {
            await subject.close();
            await subject.proxy.stop();
          }
        }
      }),
      SEED === undefined
        ? { numRuns: RUNS, endOnFailure: true }
        : { numRuns: RUNS, seed: Number(SEED) },
    );
  },
);
