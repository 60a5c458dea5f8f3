/** Two devices of one user in one page: each has a database, a clock and a connection of its own. */
import { mount } from "svelte";
import { openTodo } from "../todo/open";
import { apart } from "./apart";
import { begins } from "./begins";
import TwoDevices from "./TwoDevices.svelte";

/** A user of this tab's own, who stays over a reload. */
const KEY = "syncline-two-devices";
const user = sessionStorage.getItem(KEY) ?? `pair-${crypto.randomUUID().slice(0, 8)}`;
sessionStorage.setItem(KEY, user);

const open = (device: string) =>
  openTodo({
    account: user,
    serverUrl: location.origin,
    begins,
    surroundings: apart(device),
  });

const devices = [
  { name: "Phone", todo: open("phone") },
  { name: "Laptop", todo: open("laptop") },
];
mount(TwoDevices, { target: document.getElementById("app")!, props: { user, devices } });
