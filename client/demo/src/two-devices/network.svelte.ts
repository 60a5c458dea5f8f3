/** The switch of a device's network. It is the device's: every tab that shows the device has it so. */
import type { LocalStore } from "@syncline/sdk";
import { keep } from "../todo/keep";

export class Network {
  readonly #store: LocalStore;
  /** In `localStorage` while it is off. */
  readonly #key: string;
  #isOn = $state(true);

  /** For as long as the page is there. */
  constructor(store: LocalStore, device: string, user: string) {
    this.#store = store;
    this.#key = `${device}:syncline-two-devices-off ${user}`;
    this.#look();
    addEventListener("storage", ({ key }) => key === this.#key && this.#look());
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  flip(): void {
    const isOn = !this.#isOn;
    keep(localStorage, this.#key, isOn ? null : "1");
    this.#becomes(isOn);
  }

  #look(): void {
    this.#becomes(localStorage.getItem(this.#key) === null);
  }

  #becomes(isOn: boolean): void {
    this.#isOn = isOn;
    if (this.#isOn) this.#store.startSync();
    else this.#store.stopSync();
  }
}
