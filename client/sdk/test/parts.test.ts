/** Parts of the SDK that cannot be loaded, as without a network. */
import { beforeEach, expect, test, vi } from "vitest";
import { loaded, part, surroundings } from "../src/surroundings";
import { Disk } from "./device";

const missing = vi.hoisted(() => ({ parts: new Set<string>() }));
vi.mock("../src/guest", async (original) => {
  const get = (module: object, key: string | symbol): unknown => {
    // It is asked whether it is a promise before anything else.
    if (missing.parts.has("guest")) throw new TypeError("failed to fetch a module");
    return Reflect.get(module, key);
  };
  return new Proxy(await original<object>(), { get });
});
beforeEach(() => missing.parts.clear());

test("a guest who cannot sign in for want of a part goes on, and signs in when it is there", async () => {
  const { store, tasks } = new Disk().open({ serverUrl: "http://127.0.0.1:1", autoSync: false });
  const auth = { account: "ada", token: () => null };
  await tasks.insert({ id: "k", title: "a guest's" });
  missing.parts.add("guest");
  const signingIn = store.signIn(auth);
  // Who asks for something meanwhile gets it from the guest.
  const asked = tasks.count();
  await expect(signingIn).rejects.toMatchObject({ code: "unreachable" });
  expect([store.account, await asked]).toEqual([null, 1]);
  missing.parts.clear();
  await store.signIn(auth);
  expect([store.account, await tasks.count()]).toEqual(["ada", 1]);
  await store.close();
});

const failing = () => Promise.reject(new TypeError("failed to fetch a module"));

test("a part that is waited for is tried once", async () => {
  const load = vi.fn(failing);
  const ended = new AbortController();
  await expect(part(load, ended.signal)).rejects.toMatchObject({ code: "unreachable" });
  expect(load).toHaveBeenCalledTimes(1);
});

test("who waits for a part that never comes is told when the store is closed", async () => {
  const ended = new AbortController();
  const waits = part(() => new Promise(() => {}), ended.signal);
  ended.abort();
  await expect(waits).rejects.toMatchObject({ code: "stopped" });
  const late = part(async () => "there", ended.signal);
  await expect(late).rejects.toMatchObject({ code: "stopped" });
});

test("a part that nobody waits for is tried until its store is closed", async () => {
  const around = surroundings({ random: () => 0.001 });
  const ended = new AbortController();
  let tries = 0;
  const load = () => {
    if (++tries === 3) ended.abort();
    return failing();
  };
  await expect(loaded(load, around, ended.signal)).rejects.toMatchObject({ code: "stopped" });
  expect(tries).toBe(3);
  await expect(loaded(load, around, ended.signal)).rejects.toMatchObject({ code: "stopped" });
  expect(tries).toBe(3);
  const late = vi.fn(async () => "there");
  late.mockRejectedValueOnce(new TypeError("not yet"));
  expect(await loaded(late, around, new AbortController().signal)).toBe("there");
});
