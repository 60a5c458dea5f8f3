/** A browser that has no more room for texts beside its database. */
import { beforeEach, expect, test, vi } from "vitest";
import { remember, remembered } from "../../src/todo/account";
import { newUser, signsIn, signsOut, synced, open as openOf } from "./accounts";
import { add, check, click, close, edit, enter, field, open, shows, titles, toast } from "./page";

beforeEach(() => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("no room", "QuotaExceededError");
  });
});

test("keeps nobody from adding, editing and choosing", async () => {
  await open();
  await add("Buy milk", "Call Ada");
  await shows(() => expect(titles()).toEqual(["Buy milk", "Call Ada"]));
  await edit("Buy milk");
  await enter("Title", "Buy oat milk");
  await close();
  await shows(() => expect(titles()).toEqual(["Buy oat milk", "Call Ada"]));
  await click("Keys and settings");
  await check("Single letters, figures and signs are commands");
  await close();
  expect(field("New task").getAttribute("aria-keyshortcuts")).toBeNull();
  expect(toast()).toBe("");
});

test("keeps nobody from signing in and out", async () => {
  const user = newUser();
  await openOf();
  await signsIn(user);
  await synced();
  await add("Buy milk");
  await signsOut(user);
  await shows(() => expect(titles()).toEqual([]));
  expect(localStorage.getItem("syncline-todo-account")).toBeNull();
});

test("leaves nothing where something else was kept before", () => {
  localStorage["syncline-todo-account"] = "ada";
  expect(localStorage.getItem("syncline-todo-account")).toBe("ada");
  remember("bob");
  expect(remembered()).toBeNull();
});
