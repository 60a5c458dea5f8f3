/** The switch of a device's network. It is the device's: every tab that shows the device has it so. */
import type { LocalStore } from "@syncline/sdk";

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
    if (this.#isOn) localStorage.setItem(this.#key, "1");
    else localStorage.removeItem(this.#key);
    this.#look();
  }

  #look(): void {
    this.#isOn = localStorage.getItem(this.#key) === null;
    if (this.#isOn) this.#store.startSync();
    else this.#store.stopSync();
  }
}
