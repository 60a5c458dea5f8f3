/** A part of the SDK that is long in coming, as over a network that hangs. */
import { expect, test, vi } from "vitest";
import { Disk } from "./device";

const missing = vi.hoisted(() => ({ until: Promise.resolve() as Promise<void> }));
vi.mock("../src/guest", async (original) => {
  await missing.until;
  return original<object>();
});

test("reads and writes wait for no part that a sign-in loads, nor does closing", async () => {
  const { store, tasks } = new Disk().open({ serverUrl: "http://127.0.0.1:1", autoSync: false });
  let comes = () => {};
  missing.until = new Promise((resolve) => (comes = resolve));
  const signingIn = store.signIn({ account: "ada", token: () => null });
  await tasks.insert({ id: "k", title: "a guest's" });
  expect(await tasks.count()).toBe(1);
  await store.close();
  await expect(signingIn).rejects.toMatchObject({ code: "stopped" });
  comes();
});
