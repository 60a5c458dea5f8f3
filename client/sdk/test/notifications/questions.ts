/** What any hub answers about notifications: run against the server of these tests, and the real one. */
import { expect, test } from "vitest";
import { SynclineError } from "../../src/index";
import {
  addDevice,
  devices,
  history,
  preferences,
  removeDevice,
  setPreferences,
  type HubAccess,
  type Preferences,
} from "../../src/notifications/index";
import { newKeys, subscriptionOf } from "./receiver";

/** Devices that a user may have of an app. */
const DEVICES_MAX = 20;

/** As a browser gives one, at an address of its own. */
const subscription = async (name: string) =>
  subscriptionOf(`https://push.example.com/${name}`, await newKeys());

/** `access`: for a user who has said nothing yet. */
export function answersQuestions(access: (user: string) => Promise<HubAccess>): void {
  test("a device is listed without what is secret, is the same again, and goes once", async () => {
    const ada = await access("lists");
    const phone = await subscription("phone");
    const added = await addDevice(ada, {
      kind: "push",
      subscription: phone,
      name: "Phone",
      language: "de",
    });
    expect(added).toMatchObject({ kind: "push", name: "Phone", language: "de" });
    const again = await addDevice(ada, { kind: "push", subscription: phone, name: "Phone" });
    expect(again.id).toBe(added.id);
    const listed = await devices(ada);
    expect(listed.devices.map(({ id }) => id)).toEqual([added.id]);
    expect(listed.kinds).toContain("push");
    expect(JSON.stringify(listed)).not.toContain(phone.endpoint);
    expect(JSON.stringify(listed)).not.toContain(phone.keys.auth);
    expect(listed.forgotten).toEqual([]);
    expect((await devices(await access("other"))).devices).toEqual([]);
    await removeDevice(ada, added.id);
    expect(await devices(ada)).toMatchObject({ devices: [], forgotten: [added.id] });
    await expect(removeDevice(ada, added.id)).rejects.toMatchObject({ code: "device_unknown" });
    // Who is registered again was not removed.
    await addDevice(ada, { kind: "push", subscription: phone, name: "Phone" });
    expect((await devices(ada)).forgotten).toEqual([]);
  });

  test("a user has twenty devices, and not one more", async () => {
    const many = await access("many");
    for (let n = 0; n < DEVICES_MAX; n++)
      await addDevice(many, { kind: "push", subscription: await subscription(`${n}`) });
    const more = addDevice(many, { kind: "push", subscription: await subscription("more") });
    await expect(more).rejects.toMatchObject({ code: "too_many_devices" });
    const known = await subscription("0");
    await addDevice(many, { kind: "push", subscription: known });
    expect((await devices(many)).devices.length).toBe(DEVICES_MAX);
  });

  test("preferences are none at first, then what was said", async () => {
    const quiet = await access("quiet");
    expect(await preferences(quiet)).toEqual({});
    const said: Preferences = {
      timezone: "Europe/Berlin",
      language: "de",
      quiet: { from: "22:00", to: "07:00" },
      limit: { count: 20, minutes: 60 },
      kinds: { reminder: { channels: ["push", "notice"], inQuiet: "later" } },
    };
    await setPreferences(quiet, said);
    expect(await preferences(quiet)).toEqual(said);
    const odd = { colour: "red" } as Preferences;
    await expect(setPreferences(quiet, odd)).rejects.toMatchObject({ code: "preferences_invalid" });
    expect(await preferences(quiet)).toEqual(said);
    await setPreferences(quiet, {});
    expect(await preferences(quiet)).toEqual({});
  });

  test("a history begins empty", async () => {
    expect(await history(await access("nothing"))).toEqual({ notifications: [], next: null });
  });

  test("who is nobody is told nothing", async () => {
    const nobody = { ...(await access("nobody")), token: "refused" };
    const failed = await devices(nobody).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(SynclineError);
    expect((failed as SynclineError).code).toMatch(/^(token_|unauthorized)/);
  });
}
