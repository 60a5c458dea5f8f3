/** The page of two devices, without a browser and without a hub. */
import { mount, unmount } from "svelte";
import { onTestFinished, vi } from "vitest";
import { openTodo, type Todo } from "../../src/todo/open";
import { Network } from "../../src/two-devices/network.svelte";
import TwoDevices from "../../src/two-devices/TwoDevices.svelte";
import { Disk } from "./page";

/** Opens it until the test ends. Returns what the phone and the laptop hold. */
export function openTwo(): [Todo, Todo] {
  // A hub that is away gives no tokens either.
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const device = (name: string) => {
    const todo = openTodo({
      account: "ada",
      serverUrl: "http://127.0.0.1:1",
      begins: {},
      surroundings: new Disk().surroundings(),
    });
    return { name, todo, network: new Network(todo.store, name.toLowerCase(), "ada") };
  };
  const [phone, laptop] = [device("Phone"), device("Laptop")];
  const props = { user: "ada", devices: [phone, laptop] };
  const app = mount(TwoDevices, { target: document.body, props });
  onTestFinished(async () => {
    await unmount(app);
    for (const { todo } of props.devices) await todo.store.close();
  });
  return [phone.todo, laptop.todo];
}
