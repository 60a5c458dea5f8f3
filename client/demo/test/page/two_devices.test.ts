/** The page of two devices shows what each holds, and nothing else. */
import { expect, test } from "vitest";
import { alerts, check, failNext, field, shows, submit } from "./page";
import { openTwo } from "./two_devices";

test("a task that could not be ticked off is not shown as done", async () => {
  const [phone] = openTwo();
  await phone.tasks.insert({ title: "Buy milk", done: false, order: 1 });
  await shows(() => expect(field("Done: Buy milk").checked).toBe(false));
  failNext(phone);
  await check("Done: Buy milk");
  await shows(() => expect(alerts()[0]).toContain("no more room"));
  await shows(() => expect(field("Done: Buy milk").checked).toBe(false));
  await check("Done: Buy milk");
  await shows(() => expect(field("Done: Buy milk").checked).toBe(true));
});

test("a task without a place is no hindrance to adding others, and is changed like them", async () => {
  const [phone] = openTwo();
  await phone.tasks.insert({ id: "bare", title: "Buy milk" });
  await check("Done: Buy milk");
  await submit("New task on the phone", "Call Ada");
  await shows(() => expect(field("Done: Call Ada").checked).toBe(false));
  expect(await phone.tasks.query({ sort: "title" })).toMatchObject([
    { title: "Buy milk", done: true },
    { title: "Call Ada", order: 1 },
  ]);
});
