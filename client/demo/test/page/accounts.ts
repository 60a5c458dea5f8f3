/** Accounts for tests of the page: a hub, a network to it, and what people do to sign in and out. */
import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, expect, vi } from "vitest";
import { Hub } from "../../../sdk/test/hub";
import { Proxy } from "../../../sdk/test/proxy";
import { add, check, click, enter, open as openPage, shows, submit, textOf, toast } from "./page";
import type { Page } from "./page";

export let hub: Hub;
let network: Proxy;
beforeAll(async () => {
  hub = await Hub.start();
  network = await Proxy.to(hub.port);
});
afterAll(async () => {
  await network?.stop();
  await hub?.stop();
});
beforeEach(() => {
  const token = async (_: unknown, { body }: RequestInit) => {
    const { user } = JSON.parse(body as string) as { user: string };
    return new Response(JSON.stringify({ token: await tokenOf(user) }));
  };
  vi.stubGlobal("fetch", token);
});

/** As the page asks for it at its own origin, which here is nowhere. */
async function tokenOf(user: string): Promise<string> {
  const said = await post("/dev/token", { user, ttl_s: 3_600 });
  return (said as { token: string }).token;
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ port: hub.port, path, method: "POST", headers }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve(JSON.parse(text)));
    });
    asked.on("error", reject);
    asked.end(JSON.stringify(body));
  });
}

/** Inserts tasks as a script does that knows nothing of Todo: over HTTP, and nothing but these fields. */
export async function scripted(user: string, tasks: Record<string, object>): Promise<void> {
  const changes = Object.entries(tasks).map(([id, data]) => ({
    table: "tasks",
    id,
    op: "insert",
    data,
  }));
  const headers = { authorization: `Bearer ${await tokenOf(user)}` };
  const said = await post(
    "/v1/todo/push",
    { client: "script", muts: [{ m: 1, changes }] },
    headers,
  );
  expect(said).toMatchObject({ results: [{ status: "applied" }] });
}

let users = 0;
export const newUser = () => `user-${++users}`;

export const open = (given: Parameters<typeof openPage>[0] = {}) =>
  openPage({ hub: network.url, ...given });

export const headerSays = (words: string) =>
  shows(() => expect(textOf(document.querySelector("header"))).toContain(words));
export const synced = () => headerSays("Synced");

/** The page of a new account. */
export async function signedIn(): Promise<Page & { user: string }> {
  const user = newUser();
  const page = await open({ account: user });
  await synced();
  return { ...page, user };
}

/** An account that holds one task, written on another device. */
export async function accountWith(title: string): Promise<string> {
  const { user, todo, end } = await signedIn();
  await add(title);
  await todo.store.caughtUp();
  await end();
  return user;
}

/** A guest who wrote a task. */
export async function guest(): Promise<Page> {
  const page = await open();
  await add("Written as a guest");
  return page;
}

/** Asks for it. */
export async function signIn(user: string, choice?: string): Promise<void> {
  await click("Sign in");
  await enter("Name", user);
  if (choice) await check(choice);
  await submit("Name", user);
}

export async function signsIn(user: string): Promise<void> {
  await signIn(user);
  await shows(() => expect(toast()).toBe(`Signed in as ${user}`));
}

/** Asks for it. */
export async function signOut(user: string): Promise<void> {
  await click(`Account ${user}`);
  await click("Sign out");
}

export const isSignedOut = () => shows(() => expect(toast()).toBe("Signed out"));

export async function signsOut(user: string): Promise<void> {
  await signOut(user);
  await isSignedOut();
}

/** Without a network until `work` is done. */
export async function offline(work: () => Promise<void>): Promise<void> {
  network.goDown();
  try {
    await work();
  } finally {
    network.comeUp();
  }
}
