/**
 * How a tab takes part in syncing. The one that leads has the engine, which talks to the hub; the
 * others pass on to it what is theirs, and show what it tells.
 */
import type { OwnEphemeral } from "./core/wire.js";
import type { Database } from "./storage/database.js";
import { loaded, sayOnce, type Surroundings } from "./surroundings.js";
import { RESTING, type Activity } from "./sync/activity.js";
import type { Engine, EngineOptions } from "./sync/engine.js";
import { EphemeralState } from "./sync/ephemeral.js";
import { Tabs, type TabMessage } from "./sync/leader.js";

interface SyncingEvents {
  /** The engine of this tab tells how far it is; other tabs call nothing. */
  told(activity: Activity): void;
  /** Its activity is another one. */
  changed(): void;
  /** Whether what is written may be sent now. */
  mayPush(): boolean;
}

export class Syncing {
  readonly ephemeral = new EphemeralState();
  readonly #db: Database;
  /** `null` is a guest's, who syncs with nobody. */
  readonly #options: EngineOptions | null;
  readonly #around: Surroundings;
  readonly #events: SyncingEvents;
  #activity: Activity = RESTING;
  #engine: Engine | null = null;
  #tabs: Tabs | null = null;
  /** The tab that leads was asked how far it is, and has not answered. */
  #isAsking = false;

  constructor(
    db: Database,
    options: EngineOptions | null,
    around: Surroundings,
    events: SyncingEvents,
  ) {
    this.#db = db;
    this.#options = options;
    this.#around = around;
    this.#events = events;
  }

  get activity(): Activity {
    return this.#activity;
  }

  /** Everything the hub has told is shown. */
  get isFilled(): boolean {
    return this.#activity.online && this.#activity.complete && !this.#isAsking;
  }

  /** Begins to sync, in whichever tab leads, until `ended`. */
  start(ended: AbortSignal): void {
    const options = this.#options;
    if (!options) return;
    // What was not to be sent may be now.
    if (this.#tabs) return this.hurry();
    const tabs: Tabs = (this.#tabs = new Tabs(this.#db.name, this.#around, {
      lead: () => {
        // What the last one told is over with it.
        this.#told(RESTING);
        void this.#lead(tabs, options, ended).catch(() => {});
      },
      yield: () => {
        this.#engine?.stop();
        this.hurry();
      },
      heard: (message) => this.#heard(message),
    }));
    this.#tabs.start();
    this.hurry();
    void this.#around.storage?.persist?.().catch(() => false);
  }

  stop(): void {
    this.#engine?.stop();
    this.#tabs?.stop();
    this.#engine = null;
    this.#tabs = null;
    this.shows(RESTING);
  }

  shows(activity: Activity): void {
    this.#activity = activity;
    this.#events.changed();
  }

  /** The outbox has something new. */
  wrote(): void {
    if (this.#tabs?.leads) this.#engine?.wrote();
    else if (this.#tabs) this.#tabs.say({ t: "wrote" });
    // Syncing was stopped in this tab; another one may lead.
    else if (this.#options)
      sayOnce(this.#db.name, this.#around, { t: "wrote" } satisfies TabMessage);
  }

  /** Somebody waits for the hub. */
  hurry(): void {
    if (this.#tabs?.leads) return this.#engine?.hurry();
    this.#isAsking = true;
    this.#tabs?.say({ t: "hurry" });
  }

  /** Has something passed on by the tab that leads. */
  tell(message: OwnEphemeral): void {
    if (message.t === "presence") this.ephemeral.own = message.state;
    this.#tabs?.say({ t: "own", message });
    if (this.#tabs?.leads) this.#engine?.pass(message);
  }

  /** Talks to the hub. The part of the SDK that does is loaded by who needs it. */
  async #lead(tabs: Tabs, options: EngineOptions, ended: AbortSignal): Promise<void> {
    const part = await loaded(() => import("./sync/engine.js"), this.#around, ended);
    // It may have been stopped meanwhile, and even started again.
    if (this.#tabs !== tabs) return;
    this.#engine ??= this.#newEngine(part.Engine, options);
    if (!tabs.leads) return;
    this.#engine.start();
    this.#sayPresent();
  }

  /** Shows how far the engine of this tab is, and tells the other tabs while it leads them. */
  #told(activity: Activity): void {
    this.#isAsking = false;
    this.#sayLeading({ t: "activity", activity });
    this.shows(activity);
  }

  /** A tab that leads no more has nothing to tell the others. */
  #sayLeading(message: TabMessage): void {
    if (this.#tabs?.leads && !this.#engine?.isFenced) this.#tabs.say(message);
  }

  #newEngine(Made: typeof Engine, options: EngineOptions): Engine {
    return new Made(this.#db, options, this.#around, {
      activity: (activity) => {
        this.#events.told(activity);
        this.#told(activity);
      },
      ephemeral: (told) => {
        if (told) {
          this.ephemeral.take(told);
          this.#sayLeading({ t: "told", told });
        } else {
          this.ephemeral.exchange();
          this.#sayPresent();
        }
      },
      presence: () => this.ephemeral.own,
      mayPush: () => this.#events.mayPush(),
    });
  }

  #sayPresent(): void {
    const { own, others } = this.ephemeral;
    this.#sayLeading({ t: "present", own, others: [...others] });
  }

  /** Only who leads tells how far it is, so two tabs may think that they do: one was frozen and replaced. */
  #heardActivity(activity: Activity, leads: boolean): void {
    if (leads) return void this.#sayHow();
    this.#isAsking = false;
    this.shows(activity);
  }

  /** Tells the others how far it is, if the database still names this tab. */
  async #sayHow(): Promise<void> {
    if ((await this.#engine?.leads().catch(() => false)) === false) return;
    this.#sayLeading({ t: "activity", activity: this.#activity });
    this.#sayPresent();
  }

  #heard(message: TabMessage): void {
    const leads = this.#tabs?.leads ?? false;
    if (message.t === "activity") this.#heardActivity(message.activity as Activity, leads);
    if (message.t === "wrote") this.#engine?.wrote();
    if (message.t === "told") this.ephemeral.take(message.told);
    if (message.t === "own") {
      if (message.message.t === "presence") this.ephemeral.own = message.message.state;
      if (leads) this.#engine?.pass(message.message);
    }
    if (message.t === "present" && !leads) {
      // A leader that came later than what this tab shows does not know it.
      const { own } = this.ephemeral;
      if (message.own !== null) this.ephemeral.own = message.own;
      else if (own !== null) this.tell({ t: "presence", state: own });
      this.ephemeral.exchange(message.others);
    }
    if (message.t === "hurry" && leads) {
      this.#engine?.hurry();
      void this.#sayHow();
    }
  }
}
