/** The Todo app's page. */
import { mount } from "svelte";
import { start } from "./start";
import { remembered } from "./todo/account";
import { openTodo } from "./todo/open";
import Root from "./ui/Root.svelte";

start((target) => {
  const todo = openTodo({ account: remembered(), serverUrl: location.origin });
  const worker =
    import.meta.env.PROD && "serviceWorker" in navigator
      ? navigator.serviceWorker.register("./service-worker.js").catch(() => null)
      : null;
  mount(Root, { target, props: { todo, worker } });
});
