/** The real hub, in a process of its own, for tests. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The program; `make client` builds it. */
const PROGRAM =
  process.env["HUB"] ??
  // Vite makes an address of its own of a URL beside a module, where it builds for a page.
  join(dirname(fileURLToPath(import.meta.url)), "../../../target/debug/hub-under-test");

/** Ports that are tried; somebody else may listen on one. */
const PORTS_MAX = 5;

/** A hub with the development issuer and a database of its own. */
export class Hub {
  /** Its data. */
  readonly dir: string;
  readonly #settings: Record<string, string>;
  #process: ChildProcess | undefined;
  #port = 0;

  private constructor(settings: Record<string, string>) {
    this.dir = mkdtempSync(join(tmpdir(), "syncline-"));
    this.#settings = settings;
  }

  /** Starts one. `settings` are its configuration, as environment variables. */
  static async start(settings: Record<string, string> = {}): Promise<Hub> {
    const hub = new Hub(settings);
    for (let tries = 1; ; tries++) {
      // Not a port the system gives to connections: while the hub is down one of them could get
      // it, even one that tries to reach the hub.
      hub.#port = 20_000 + Math.floor(Math.random() * 12_000);
      try {
        await hub.run();
        return hub;
      } catch (error) {
        if (tries === PORTS_MAX) throw error;
      }
    }
  }

  /** Runs it, on its port. Returns when it listens. */
  async run(): Promise<void> {
    const env = {
      ...process.env,
      HUB__LISTEN: `127.0.0.1:${this.#port}`,
      HUB__ADMIN_LISTEN: "127.0.0.1:0",
      HUB__DATA_DIR: this.dir,
      HUB__STORE__URL: `sqlite:${join(this.dir, "hub.db")}`,
      HUB__NODE: "test",
      ...this.#settings,
    };
    const child = spawn(PROGRAM, ["serve", "--dev"], {
      env,
      cwd: this.dir,
      stdio: ["ignore", "pipe", process.env["HUB_LOG"] ? "inherit" : "ignore"],
    });
    this.#process = child;
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) {
        this.#port = Number(found[1]);
        child.stdout.resume();
        return;
      }
    }
    throw new Error(`${PROGRAM} ended without saying where it listens`);
  }

  get isUp(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends the process; its data stays. */
  async end(signal: "SIGTERM" | "SIGKILL" = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (!child || !this.isUp) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A token of the development issuer. */
  async token(user: string, ttl_s = 3_600): Promise<string> {
    const body = JSON.stringify({ user, ttl_s });
    const response = await fetch(`${this.url}/dev/token`, { method: "POST", body });
    return ((await response.json()) as { token: string }).token;
  }

  /** What the hub holds, over HTTP: data by table and id. */
  async holds(user: string, app = "todo"): Promise<Record<string, unknown>> {
    const headers = { authorization: `Bearer ${await this.token(user)}` };
    const held: Record<string, unknown> = {};
    let next: string | null = null;
    do {
      const query: string = next === null ? "" : `?next=${next}`;
      const response = await fetch(`${this.url}/v1/${app}/snapshot${query}`, { headers });
      const part = (await response.json()) as {
        next: string | null;
        changes: { table: string; id: string; data: unknown }[];
      };
      for (const { table, id, data } of part.changes) held[`${table}/${id}`] = data;
      next = part.next;
    } while (next !== null);
    return held;
  }
}
