/** Two devices of one user in one page: each has a database, a clock and a connection of its own. */
import { mount } from "svelte";
import { uuid } from "@syncline/sdk";
import { start } from "../start";
import { keep } from "../todo/keep";
import { openTodo } from "../todo/open";
import { apart } from "./apart";
import { begins } from "./begins";
import { Network } from "./network.svelte";
import { hold, tidy } from "./pairs";
import TwoDevices from "./TwoDevices.svelte";

/** A user of this tab's own, who stays over a reload. A duplicate of the tab has the same. */
const KEY = "syncline-two-devices";

/** How often it is noted that the pair is still shown, in milliseconds. */
const LOOK_MS = 60 * 60_000;

start((target) => {
  const user = sessionStorage.getItem(KEY) ?? `pair-${uuid().slice(0, 8)}`;
  keep(sessionStorage, KEY, user);
  // There are none where a page is not secure.
  const locks = navigator.locks as LockManager | undefined;
  hold(locks, user);
  // A browser that does not tell its databases keeps them.
  const look = () => void tidy({ databases: indexedDB, locks }, user, Date.now()).catch(() => {});
  look();
  setInterval(look, LOOK_MS);

  const open = (name: string) => {
    const device = name.toLowerCase();
    const todo = openTodo({
      account: user,
      serverUrl: location.origin,
      begins,
      surroundings: apart(device),
    });
    return { name, todo, network: new Network(todo.store, device, user) };
  };

  const devices = [open("Phone"), open("Laptop")];
  mount(TwoDevices, { target, props: { user, devices } });
});
