/**
 * Registering for Web Push: with a hub's answers over HTTP and this device's memory. The push manager is
 * the test's: a browser's has a push service on the internet behind it.
 */
import { IDBFactory, IDBObjectStore } from "fake-indexeddb";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { markStale } from "../../src/notifications/kept";
import {
  keepPush,
  registeredAs,
  registerPush,
  removeDevice,
  renewPush,
  unregisterPush,
  type PushOptions,
} from "../../src/notifications/index";
import { until } from "../eventually";
import { NotificationServer } from "./server";

const KEY = Buffer.alloc(65, 4).toString("base64url");
const OTHER_KEY = Buffer.alloc(65, 5).toString("base64url");

const bytesOf = (key: string) => new Uint8Array(Buffer.from(key, "base64url"));

/** A browser's push manager: one subscription, of one key, with an address that is new each time. */
class Manager {
  current: PushSubscription | null = null;
  subscribed = 0;
  /** Whether it says of which key a subscription is. */
  saysKey = true;
  failure: DOMException | null = null;

  async getSubscription() {
    return this.current;
  }

  async subscribe({ applicationServerKey: given }: PushSubscriptionOptionsInit) {
    if (this.failure) throw this.failure;
    const key = given as Uint8Array<ArrayBuffer>;
    if (this.current) {
      if (Buffer.compare(this.#key, key) === 0) return this.current;
      throw new DOMException("of another key", "InvalidStateError");
    }
    this.#key = key;
    const endpoint = `https://push.example.com/${++this.subscribed}`;
    const made = {
      endpoint,
      options: { applicationServerKey: this.saysKey ? key.slice().buffer : null },
      toJSON: () => ({ endpoint, keys: { p256dh: "p", auth: "a" } }),
      unsubscribe: async () => {
        if (this.current === made) this.current = null;
        return true;
      },
    } as unknown as PushSubscription;
    return (this.current = made);
  }
  #key = new Uint8Array();
}

let server: NotificationServer;
let manager: Manager;
let options: PushOptions;
let users = 0;
beforeAll(async () => {
  server = await NotificationServer.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  allow("granted");
  server.publicKey = KEY;
  manager = new Manager();
  options = {
    serverUrl: server.url,
    app: "todo",
    token: `user-${++users}`,
    registration: { pushManager: manager } as unknown as ServiceWorkerRegistration,
    name: "Phone",
  };
  return () => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  };
});

function allow(permission: NotificationPermission, answered = permission) {
  const requestPermission = vi.fn(async () => answered);
  vi.stubGlobal("Notification", { permission, requestPermission });
  return requestPermission;
}

const devicesThere = () => [...server.of(options.token as string).devices.values()];
const on = async () => (await registeredAs(options.registration, "todo")) !== undefined;

test("a browser is registered under its name, once however often that is done", async () => {
  expect(await on()).toBe(false);
  const device = await registerPush(options);
  expect(device).toMatchObject({ kind: "push", name: "Phone" });
  expect((await registerPush(options)).id).toBe(device.id);
  expect(devicesThere().map(({ id }) => id)).toEqual([device.id]);
  expect(manager.subscribed).toBe(1);
  expect(await on()).toBe(true);
});

test("the user is asked if that was not done, and before anything is waited for", async () => {
  const asks = allow("default", "granted");
  const registering = registerPush(options);
  expect(asks).toHaveBeenCalledTimes(1);
  await registering;
  const before = server.asked.length;
  allow("default", "denied");
  await expect(registerPush(options)).rejects.toMatchObject({ code: "push_denied" });
  expect(server.asked.length).toBe(before);
  const never = allow("denied");
  await expect(registerPush(options)).rejects.toMatchObject({ code: "push_denied" });
  expect(never).not.toHaveBeenCalled();
});

test.each([true, false])(
  "a hub with another key gets a new subscription (that the old one says its key: %s)",
  async (saysKey) => {
    manager.saysKey = saysKey;
    const before = await registerPush(options);
    server.publicKey = OTHER_KEY;
    const after = await registerPush(options);
    expect(manager.subscribed).toBe(2);
    // Nobody is told at the old address any more.
    expect(devicesThere().map(({ id }) => id)).toEqual([after.id]);
    expect(after.id).not.toBe(before.id);
    expect(await on()).toBe(true);
  },
);

test("the key is handed on as the hub says it, padded or not", async () => {
  server.publicKey = Buffer.from(bytesOf(KEY)).toString("base64");
  await registerPush(options);
  const { applicationServerKey } = manager.current!.options;
  expect(new Uint8Array(applicationServerKey!)).toEqual(bytesOf(KEY));
});

test.each([
  ["push_unavailable", () => void (server.publicKey = null)],
  ["protocol", () => void (server.publicKey = "~")],
  ["push_unavailable", () => void (manager.failure = new DOMException("away", "AbortError"))],
  ["push_denied", () => void (manager.failure = new DOMException("no", "NotAllowedError"))],
  ["push_unsupported", () => vi.stubGlobal("Notification", undefined)],
  ["push_unsupported", () => void (options.registration = {} as ServiceWorkerRegistration)],
  [
    "too_many_devices",
    () =>
      server.next.push([200, { devices: [], publicKey: KEY }], [409, { code: "too_many_devices" }]),
  ],
])("%s is told, and nothing is registered", async (code, breaks) => {
  breaks();
  await expect(registerPush(options)).rejects.toMatchObject({ name: "SynclineError", code });
  expect(await on()).toBe(false);
  expect(devicesThere()).toEqual([]);
});

test("a device that is unregistered is told nothing any more, also without a network", async () => {
  await registerPush(options);
  await unregisterPush(options);
  expect([manager.current, devicesThere()]).toEqual([null, []]);
  // Again, and where another device has removed it meanwhile.
  await unregisterPush(options);
  await registerPush(options);
  server.of(options.token as string).devices.clear();
  await unregisterPush(options);

  await registerPush(options);
  const away = { ...options, serverUrl: "http://127.0.0.1:1" };
  await expect(unregisterPush(away)).rejects.toMatchObject({ code: "unreachable" });
  expect(manager.current).toBeNull();
  expect(await on()).toBe(false);
});

test("a subscription that the browser has given up is renewed, without asking anybody", async () => {
  expect(await renewPush(options)).toBe(false);
  await registerPush(options);
  expect(await renewPush(options)).toBe(true);
  expect(manager.subscribed).toBe(1);
  // The worker has said so.
  await markStale();
  expect(await renewPush(options)).toBe(true);
  // Nobody has.
  await manager.current!.unsubscribe();
  expect(await renewPush(options)).toBe(true);
  expect(manager.subscribed).toBe(2);
  expect(devicesThere().length).toBe(1);
  expect(await on()).toBe(true);

  await manager.current!.unsubscribe();
  const asks = allow("default");
  expect(await renewPush(options)).toBe(false);
  expect(asks).not.toHaveBeenCalled();
});

test("a start finds that the hub has another key", async () => {
  await registerPush(options);
  server.publicKey = OTHER_KEY;
  expect(await renewPush(options)).toBe(true);
  expect([manager.subscribed, devicesThere().length]).toEqual([2, 1]);
});

/** From another device of the user. */
const removeElsewhere = async () => {
  for (const { id } of devicesThere()) await removeDevice(options, id);
};

/** A push service, or a proxy before it, has told the hub that nobody is there. */
const lose = () => server.of(options.token as string).devices.clear();

test("a device that was removed elsewhere stays so, and one that cannot ask stays as it is", async () => {
  await registerPush(options);
  const away = { ...options, serverUrl: "http://127.0.0.1:1" };
  await expect(renewPush(away)).rejects.toMatchObject({ code: "unreachable" });
  expect(await on()).toBe(true);
  await removeElsewhere();
  expect(await renewPush(options)).toBe(false);
  expect([manager.current, await on(), devicesThere()]).toEqual([null, false, []]);
  expect(await renewPush(options)).toBe(false);
  // Until the user wants it here.
  await registerPush(options);
  expect(await renewPush(options)).toBe(true);
  expect([manager.subscribed, devicesThere().length]).toEqual([2, 1]);
});

test("what was removed elsewhere is not renewed where the browser gave it up meanwhile", async () => {
  await registerPush(options);
  await removeElsewhere();
  await manager.current!.unsubscribe();
  await markStale();
  expect(await renewPush(options)).toBe(false);
  expect([manager.subscribed, devicesThere()]).toEqual([1, []]);
});

test("a device that the hub has lost by a lie is registered again under its own address", async () => {
  const device = await registerPush(options);
  lose();
  expect(await renewPush(options)).toBe(true);
  expect(devicesThere().map(({ id }) => id)).toEqual([device.id]);
  expect(manager.subscribed).toBe(1);
  // It stays so, and is left alone.
  expect(await renewPush(options)).toBe(true);
  expect(manager.subscribed).toBe(1);
});

test("a hub that does not say what was removed has it registered again all the same", async () => {
  await registerPush(options);
  lose();
  server.next.push([200, { devices: [], publicKey: KEY, kinds: ["push"] }]);
  expect(await renewPush(options)).toBe(true);
  expect(devicesThere().length).toBe(1);
});

test("a subscription that is lost again has nobody behind it, and another one takes its place", async () => {
  const before = await registerPush(options);
  lose();
  await renewPush(options);
  lose();
  expect(await renewPush(options)).toBe(true);
  expect(manager.subscribed).toBe(2);
  const there = devicesThere().map(({ id }) => id);
  expect(there.length).toBe(1);
  expect(there).not.toContain(before.id);
  expect(await on()).toBe(true);
});

test("a hub that loses whatever it is told of is told twice in a day, however often pages start", async () => {
  let now = Date.parse("2026-11-24T10:00:00.000Z");
  vi.spyOn(Date, "now").mockImplementation(() => now);
  await registerPush(options);
  const starts = async () => {
    const before = server.asked.length;
    const renewed: boolean[] = [];
    for (let n = 0; n < 5; n++) {
      lose();
      renewed.push(await renewPush(options));
    }
    const told = server.asked.slice(before).filter((asked) => asked.startsWith("POST"));
    return [renewed.filter(Boolean).length, told.length];
  };
  expect(await starts()).toEqual([2, 2]);
  now += 24 * 3_600_000 - 1;
  expect(await starts()).toEqual([0, 0]);
  now += 1;
  expect(await starts()).toEqual([2, 2]);
  expect(manager.subscribed).toBe(3);
  // A clock that was ahead keeps nobody waiting for it to come true.
  now -= 30 * 24 * 3_600_000;
  expect(await starts()).toEqual([2, 2]);
});

test("a hub that could not be told again is told at the next start, as if nothing was", async () => {
  const device = await registerPush(options);
  lose();
  server.next.push([200, { devices: [], publicKey: KEY }], [503, ""]);
  await expect(renewPush(options)).rejects.toMatchObject({ code: "unreachable" });
  expect(await renewPush(options)).toBe(true);
  expect(devicesThere().map(({ id }) => id)).toEqual([device.id]);
  expect(manager.subscribed).toBe(1);
});

test("where nothing can be remembered nothing is registered again: it would be at each start", async () => {
  await registerPush(options);
  lose();
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  await expect(renewPush(options)).rejects.toMatchObject({ code: "quota" });
  expect(devicesThere()).toEqual([]);
});

test("a page that is open renews when the worker says so, until it ends", async () => {
  await registerPush(options);
  const container = new EventTarget();
  const failed = vi.fn();
  const end = keepPush(options, failed, container);
  const says = (data: unknown) => container.dispatchEvent(new MessageEvent("message", { data }));
  await manager.current!.unsubscribe();
  for (const other of [null, "started", { open: "k1" }]) says(other);
  says({ syncline: "push-renew" });
  await until(() => manager.subscribed === 2);
  await until(on);
  server.next.push([503, ""]);
  await manager.current!.unsubscribe();
  says({ syncline: "push-renew" });
  await until(() => failed.mock.calls.length === 1);
  expect(failed.mock.calls[0]![0]).toMatchObject({ code: "unreachable" });
  end();
  says({ syncline: "push-renew" });
  // What fails is tried again at the next start.
  const next = keepPush(options, failed, container);
  await until(on);
  expect(manager.subscribed).toBe(3);
  next();
});
