/** How somebody is told: what the hub holds of it, whether this device is told too, and changing both. */
import { SynclineError } from "@syncline/sdk";
import {
  devices,
  preferences,
  registeredAs,
  registerPush,
  removeDevice,
  setPreferences,
  unregisterPush,
  type Device,
  type HubAccess,
  type Preferences,
} from "@syncline/sdk/notifications";
import { sayUntold } from "../model/faults";
import { pushOf } from "../todo/push";

export type Worker = Promise<ServiceWorkerRegistration | null> | null;

export class Notifying {
  devices = $state.raw<readonly Device[] | null>(null);
  preferences = $state.raw<Preferences | null>(null);
  /** Which of the devices this one is, if it is told while Todo is closed. */
  own = $state<string>();
  isBusy = $state(false);
  /** Why the last thing that was asked for was not done. */
  fault = $state("");
  readonly #hub: HubAccess;
  readonly #worker: Worker;
  /** How often was looked: what comes late of a former look is not so any more. */
  #looks = 0;

  constructor(hub: HubAccess, worker: Worker) {
    this.#hub = hub;
    this.#worker = worker;
  }

  load(): Promise<void> {
    return this.#look();
  }

  tellHere(): Promise<void> {
    return this.#do(async () => {
      const registration = await this.#registration();
      if (!registration) throw new SynclineError("push_unsupported", "there is no worker");
      await registerPush(pushOf(this.#hub, registration));
    });
  }

  tellNoMoreHere(): Promise<void> {
    return this.#do(async () => {
      const registration = await this.#registration();
      if (registration) await unregisterPush(pushOf(this.#hub, registration));
    });
  }

  forget(id: string): Promise<void> {
    if (id === this.own) return this.tellNoMoreHere();
    return this.#do(() => removeDevice(this.#hub, id));
  }

  /** As `22:00`, in this device's zone if the user has not named one; `null` for none. */
  beQuiet(quiet: { from: string; to: string } | null): Promise<void> {
    return this.#do(async () => {
      const { quiet: _, ...rest } = await preferences(this.#hub);
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
      await setPreferences(this.#hub, quiet ? { timezone: timeZone, ...rest, quiet } : rest);
    });
  }

  /** Does one thing at a time, and looks what is so after it. */
  async #do(work: () => Promise<void>): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    this.fault = "";
    try {
      await work();
    } catch (error) {
      this.fault = sayUntold(error);
    }
    await this.#look();
    this.isBusy = false;
  }

  async #look(): Promise<void> {
    const look = ++this.#looks;
    try {
      const registration = await this.#registration();
      const own = registration ? await registeredAs(registration, this.#hub.app) : undefined;
      if (look === this.#looks) this.own = own;
      const [all, said] = await Promise.all([devices(this.#hub), preferences(this.#hub)]);
      if (look !== this.#looks) return;
      [this.devices, this.preferences] = [all.devices, said];
      // Another device has had it forgotten.
      if (all.devices.every(({ id }) => id !== own)) this.own = undefined;
    } catch (error) {
      // Why something was not done says more.
      if (look === this.#looks) this.fault ||= sayUntold(error);
    }
  }

  /** One that runs: what is only being installed has no subscription. */
  async #registration(): Promise<ServiceWorkerRegistration | null> {
    return (await this.#worker) && navigator.serviceWorker.ready;
  }
}
