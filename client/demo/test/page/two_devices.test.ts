/** The page of two devices shows what each holds, and nothing else. */
import { expect, test } from "vitest";
import { alerts, check, failNext, field, shows } from "./page";
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
