/** What keeps the app from syncing is told, remembered, and over when it is over. */
import { IDBKeyRange } from "fake-indexeddb";
import { expect, test, vi } from "vitest";
import { unreadable } from "../../../sdk/test/device";
import {
  add,
  alerts,
  appears,
  button,
  click,
  close,
  dialog,
  Disk,
  open,
  shows,
  textOf,
  titles,
} from "./page";

const status = () => textOf(document.querySelector("header .sync-status"));

test("what kept it from syncing is remembered, whoever looked then", async () => {
  vi.stubGlobal("fetch", async () =>
    Response.json({ code: "not_found", message: "no such route" }, { status: 404 }),
  );
  await open({ account: "ada" });
  await shows(() => expect(status()).toBe("Not syncing"));
  for (let visit = 0; visit < 2; visit++) {
    await click("Sync details");
    await shows(() => {
      const [list, ...others] = dialog("Sync details").querySelectorAll("ul");
      // Once, where the panel shows it, and not hidden there.
      expect(others).toEqual([]);
      expect(list!.getAttribute("aria-label")).toBe("Last errors");
      expect(getComputedStyle(list!).display).not.toBe("none");
      expect(textOf(list!)).toContain("token_failed");
      expect(textOf(list!)).toContain("This hub has no demo sign-in.");
    });
    await close();
  }
});

test("a browser that deleted the data is told so, and what to do; the page goes on", async () => {
  const { disk, end } = await open();
  await add("Buy milk");
  await disk.evict();
  await shows(() => expect(alerts()[0]).toContain("This browser deleted what Todo kept here"));
  expect(alerts()[0]).toContain("It was on this device alone, and is gone.");
  expect(status()).toBe("Data was deleted");
  await appears(() => button("Load again"));
  await add("Call Ada");
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
  const loads = new Promise<void>((resolve) => {
    vi.spyOn(location, "reload").mockImplementation(resolve);
  });
  await click("Load again");
  await loads;
  await end();
  await open({ disk });
  await shows(() => expect(status()).toBe("Saved on this device"));
  expect(alerts()).toEqual([]);
  await shows(() => expect(titles()).toEqual(["Call Ada"]));
});

test("a browser that cannot read the data is not said to have deleted it; it comes back", async () => {
  const disk = new Disk();
  const first = await open({ disk });
  await add("Buy milk");
  await first.end();
  const { around } = unreadable(disk);
  const { end } = await open({ disk, around });
  await shows(() => expect(alerts()[0]).toContain("This browser cannot read what Todo kept here"));
  expect(alerts()[0]).toContain("It is still here, and comes back if");
  expect(status()).toBe("Data cannot be read");
  await add("Call Ada");
  await end();
  // It can by now.
  await open({ disk });
  await shows(() => expect([...titles()].sort()).toEqual(["Buy milk", "Call Ada"]));
  await shows(() => expect(status()).toBe("Saved on this device"));
  expect(alerts()).toEqual([]);
});

test("a database that cannot be opened is told where the tasks would be, until it can", async () => {
  const disk = new Disk();
  let isOpen = false;
  const indexedDB = Object.create(disk.indexedDB) as IDBFactory;
  indexedDB.open = (...asked) => {
    if (!isOpen) throw new DOMException("denied", "SecurityError");
    return disk.indexedDB.open(...asked);
  };
  const page = open({ disk, around: { engine: { indexedDB, IDBKeyRange } } });
  await shows(() => expect(textOf(document.querySelector("main"))).toContain("cannot be opened"));
  expect(textOf(document.querySelector("main"))).not.toContain("Opening…");
  await page.catch(() => {});
  isOpen = true;
  await shows(() => expect(textOf(document.querySelector("main"))).toContain("Nothing here."));
});
