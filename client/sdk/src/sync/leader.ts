/**
 * Which tab talks to the hub: the one that holds a Web Lock. A tab that is closed loses it at
 * once. One that is frozen keeps it and answers nobody, so a tab the user sees takes it away.
 *
 * Being asked is what shows life, not a timer's beat: timers of hidden tabs are slowed down, and
 * a healthy leader would seem dead.
 */
import type { Json } from "../core/json.js";
import type { Ephemeral, OwnEphemeral } from "../core/wire.js";
import type { Surroundings } from "../surroundings.js";

/** How often a visible tab asks, and how long it waits for an answer. Together under 5 s. */
const ASK_EVERY_MS = 1_500;
const ANSWER_WITHIN_MS = 2_500;

export type TabMessage =
  | { t: "ask" }
  | { t: "here" }
  /** Where there are no locks, who takes the lead says so. */
  | { t: "mine" }
  | { t: "wrote" }
  | { t: "hurry" }
  | { t: "activity"; activity: unknown }
  /** A tab has something passed on. */
  | { t: "own"; message: OwnEphemeral }
  /** The leader was told something. */
  | { t: "told"; told: Ephemeral }
  /** What the leader knows of presence, its device's own and that of others. */
  | { t: "present"; own: Json; others: [string, Json][] };

interface LeaderEvents {
  /** This tab leads from now on. */
  lead(): void;
  /** It leads no more: another tab took over. */
  yield(): void;
  /** A message of another tab. */
  heard(message: TabMessage): void;
}

export class Tabs {
  readonly #around: Surroundings;
  readonly #events: LeaderEvents;
  readonly #name: string;
  readonly #channel: BroadcastChannel | undefined;
  readonly #stopped = new AbortController();
  #leads = false;
  #release: (() => void) | undefined;
  #asking: ReturnType<typeof setInterval> | undefined;
  #unanswered: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, around: Surroundings, events: LeaderEvents) {
    this.#name = name;
    this.#around = around;
    this.#events = events;
    if (around.BroadcastChannel) {
      this.#channel = new around.BroadcastChannel(name);
      this.#channel.onmessage = (event: MessageEvent) => this.#hear(event.data as TabMessage);
    }
  }

  get leads(): boolean {
    return this.#leads;
  }

  /** Waits for the lead, and watches the tab that has it. */
  start(): void {
    if (this.#around.locks) void this.#request({ signal: this.#stopped.signal });
    else this.#take();
    if (!this.#channel) return;
    this.#asking = setInterval(() => this.#ask(), ASK_EVERY_MS);
  }

  stop(): void {
    this.#stopped.abort();
    clearInterval(this.#asking);
    clearTimeout(this.#unanswered);
    this.#leads = false;
    this.#release?.();
    this.#channel?.close();
  }

  say(message: TabMessage): void {
    if (!this.#stopped.signal.aborted) this.#channel?.postMessage(message);
  }

  async #request(options: LockOptions): Promise<void> {
    try {
      await this.#around.locks?.request(this.#name, options, () => this.#hold());
    } catch {
      // It was stolen, or this tab stopped waiting.
      if (this.#stopped.signal.aborted || !this.#leads) return;
      this.#leads = false;
      this.#events.yield();
      void this.#request({ signal: this.#stopped.signal });
    }
  }

  #hold(): Promise<void> {
    if (this.#stopped.signal.aborted) return Promise.resolve();
    const held = new Promise<void>((resolve) => (this.#release = resolve));
    this.#lead();
    return held;
  }

  /** Without locks the last one that takes the lead has it. */
  #take(): void {
    this.say({ t: "mine" });
    this.#lead();
  }

  #lead(): void {
    this.#answered();
    this.#leads = true;
    this.#events.lead();
  }

  #ask(): void {
    if (this.#leads || !this.#around.isVisible() || this.#unanswered !== undefined) return;
    this.say({ t: "ask" });
    this.#unanswered = setTimeout(() => {
      this.#unanswered = undefined;
      if (this.#leads) return;
      if (this.#around.locks) void this.#request({ steal: true });
      else this.#take();
    }, ANSWER_WITHIN_MS);
  }

  #hear(message: TabMessage): void {
    if (message.t === "ask") {
      if (this.#leads) this.say({ t: "here" });
      return;
    }
    if (message.t === "here") return this.#answered();
    if (message.t === "mine") return this.#yield();
    this.#events.heard(message);
  }

  #yield(): void {
    this.#answered();
    if (!this.#leads) return;
    this.#leads = false;
    this.#events.yield();
  }

  #answered(): void {
    clearTimeout(this.#unanswered);
    this.#unanswered = undefined;
  }
}
