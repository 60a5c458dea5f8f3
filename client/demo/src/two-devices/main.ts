/** Two devices of one user in one page: each has a database, a clock and a connection of its own. */
import { mount } from "svelte";
import { uuid } from "@syncline/sdk";
import { start } from "../start";
import { keep } from "../todo/keep";
import { openTodo } from "../todo/open";
import { apart } from "./apart";
import { begins } from "./begins";
import { Network } from "./network.svelte";
import TwoDevices from "./TwoDevices.svelte";

/** A user of this tab's own, who stays over a reload. A duplicate of the tab has the same. */
const KEY = "syncline-two-devices";

start((target) => {
  const user = sessionStorage.getItem(KEY) ?? `pair-${uuid().slice(0, 8)}`;
  keep(sessionStorage, KEY, user);

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
