/** The Todo app's page. */
import { mount } from "svelte";
import { remembered } from "./todo/account";
import { openTodo } from "./todo/open";
import Root from "./ui/Root.svelte";

const todo = openTodo({ account: remembered(), serverUrl: location.origin });
const worker =
  import.meta.env.PROD && "serviceWorker" in navigator
    ? navigator.serviceWorker.register("./service-worker.js").catch(() => null)
    : null;
mount(Root, { target: document.getElementById("app")!, props: { todo, worker } });
