/** The browser's Back and Forward, a link, and a page that is loaded again. */
import { expect, test, vi } from "vitest";
import { until } from "../../../sdk/test/eventually";
import { linkTo, placeOf } from "../../src/model/places";
import type { View } from "../../src/model/views";
import {
  add,
  appears,
  click,
  close,
  dialog,
  edit,
  field,
  heading,
  holdToast,
  open,
  press,
  shows,
  stored,
  submit,
  titles,
  toast,
  type,
} from "./page";

/** Steps of the browser's are told by nothing in the page. */
const isAt = (link: string) => until(() => location.hash === link);

const isClosed = () => expect(document.querySelector("dialog[open]")).toBeNull();

test("a place is what its link says, whatever is in its names", () => {
  const views: View[] = [
    { is: "all" },
    { is: "today" },
    { is: "project", id: "a/b?c&d=é %" },
    { is: "label", id: "label-über alles 2" },
  ];
  for (const view of views)
    for (const search of ["", "milk & #shop?", "%"])
      for (const task of [null, "t/1?"]) {
        const place = { view, search, task };
        expect(placeOf(linkTo(place))).toEqual(place);
        expect(new URL(linkTo(place), "http://a.b/").hash).toBe(linkTo(place));
      }
  const all = { view: { is: "all" }, search: "", task: null };
  for (const link of [
    "",
    "#",
    "#view",
    "#/",
    "#/nowhere",
    "#/project",
    "#/project/",
    "#/all?task=",
  ])
    expect(placeOf(link)).toEqual(all);
  expect(placeOf("#/project/50%").view).toEqual({ is: "project", id: "50%" });
});

test("Back goes to the view before, and Forward on again", async () => {
  await open();
  await add("Buy milk today #shop");
  await click(/^Today/);
  await click(/^#shop/);
  await shows(() => heading("#shop"));
  expect(location.hash).toBe("#/label/label-shop");
  history.back();
  await shows(() => heading("Today"));
  history.back();
  await shows(() => heading("All tasks"));
  history.forward();
  await shows(() => heading("Today"));
});

test("a page that is loaded again shows the same view, search and task", async () => {
  const { disk, end } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  await add("Water");
  await edit("Water");
  const at = location.hash.slice(1);
  await end();
  const again = await open({ disk, at });
  await appears(() => dialog("Edit task"));
  await shows(() => expect(field("Title").value).toBe("Water"));
  await close();
  await shows(() => heading("Garden"));
  await type("Search tasks", "milk");
  await shows(() => heading("Found: milk"));
  const found = location.hash.slice(1);
  await again.end();
  await open({ disk, at: found });
  await shows(() => heading("Found: milk"));
  expect(field("Search tasks").value).toBe("milk");
  press("Escape");
});

test("Back closes a sheet, the editor and a search, and leaves nothing to go back over", async () => {
  await open();
  await add("Buy milk");
  await click(/^Today/);
  await shows(() => heading("Today"));
  await click(/^All tasks/);
  const steps = history.length;
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  history.back();
  await shows(isClosed);
  await edit("Buy milk");
  history.back();
  await shows(isClosed);
  await type("Search tasks", "m");
  await type("Search tasks", "mi");
  await shows(() => heading("Found: mi"));
  history.back();
  await shows(() => heading("All tasks"));
  for (let n = 0; n < 3; n++) {
    await click("Keys and settings");
    await appears(() => dialog("Keys and settings"));
    await close();
    await type("Search tasks", "mi");
    press("Escape");
    await shows(() => heading("All tasks"));
    await edit("Buy milk");
    await close();
  }
  // The last step may be taken back a moment later.
  await until(() => location.hash === "#/all" && history.state?.sheet == null);
  expect(history.length).toBeLessThanOrEqual(steps + 1);
  history.back();
  await shows(() => heading("Today"));
});

test("what is chosen while a step back is under way is not lost", async () => {
  await open();
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  await click("Close");
  press("2");
  await shows(() => heading("Today"));
  await isAt("#/today");
  history.back();
  await shows(() => heading("All tasks"));
});

test("a link to a list or a task that is gone shows all tasks, and says so", async () => {
  const { disk, end } = await open();
  await add("Buy milk");
  await end();
  for (const at of ["/project/gone", "/label/gone"]) {
    const page = await open({ disk, at });
    await shows(() => heading("All tasks"));
    await shows(() => expect(toast()).toBe("That list is not there any more: here are all tasks."));
    await shows(() => expect(titles()).toEqual(["Buy milk"]));
    await isAt("#/all");
    await page.end();
  }
  await open({ disk, at: "/all?task=gone" });
  await shows(() => expect(toast()).toBe("That task is not there any more."));
  isClosed();
});

test("a link to a list that comes later waits for it", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const { todo } = await open({ account: "ada", at: "/project/garden" });
  await shows(() => heading("Project"));
  await todo.store.inspect();
  await todo.labels.insert({ id: "l", name: "other" });
  heading("Project");
  await todo.projects.insert({ id: "garden", name: "Garden", order: 1, isArchived: false });
  await shows(() => heading("Garden"));
  expect(toast()).toBe("");
});

test("nobody goes back to a list that was deleted", async () => {
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  const [project] = await todo.projects.query();
  await todo.projects.delete(project!.id);
  await shows(() => expect(toast()).toContain("“Garden” was deleted"));
  holdToast();
  await shows(() => heading("All tasks"));
  await click(/^Today/);
  await shows(() => heading("Today"));
  history.back();
  await shows(() => heading("All tasks"));
  await isAt("");
  await stored(todo.projects.live(), (all) => expect(all).toEqual([]));
  expect(toast()).toContain("“Garden” was deleted");
});

test("Back goes on where a step back of the page's own is under way", async () => {
  await open();
  await click(/^Today/);
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  const { back } = history;
  // As a browser does that is asked twice: it goes two steps, and tells of the second.
  const asked = vi.spyOn(history, "back").mockImplementation(() => {});
  await click("Close");
  await shows(isClosed);
  expect(asked).toHaveBeenCalledOnce();
  asked.mockRestore();
  expect(history.back).toBe(back);
  history.go(-2);
  await shows(() => heading("All tasks"));
});

test("a page restored in a new tab, which has no step before it, goes on writing its own", async () => {
  const { disk, end } = await open();
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  const step: unknown = history.state;
  expect(step).toMatchObject({ sheet: "help", before: "#/all " });
  await end();
  // Browsers do nothing where there is nothing to go back to, and tell nobody.
  const asked = vi.spyOn(history, "back").mockImplementation(() => {});
  await open({ disk, at: "/all", step });
  await shows(() => heading("All tasks"));
  expect(asked).toHaveBeenCalledOnce();
  press("2");
  await shows(() => heading("Today"));
  await isAt("#/today");
  press("3");
  await isAt("#/upcoming");
  expect(asked).toHaveBeenCalledOnce();
});

test.each([
  ["throws", () => expect.fail("too many")],
  ["does nothing", () => {}],
])("typing goes on where a browser that is written to often %s", async (_, refuse) => {
  await open();
  await add("Buy milk");
  const refused = (["replaceState", "pushState"] as const).map((how) =>
    vi.spyOn(history, how).mockImplementation(refuse),
  );
  for (const text of ["m", "mi", "mil"]) await type("Search tasks", text);
  await shows(() => heading("Found: mil"));
  await shows(() => expect(titles()).toEqual(["Buy milk"]));
  expect(location.hash).not.toContain("mil");
  for (const one of refused) one.mockRestore();
  await isAt("#/all?search=mil");
  history.back();
  await shows(() => heading("All tasks"));
});

test("a correction is of the step that is gone, and of no other", async () => {
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  const [project] = await todo.projects.query();
  // Before the browser has gone back, somebody goes elsewhere.
  const { back } = history;
  const asked = vi.spyOn(history, "back").mockImplementation(() => {});
  await todo.projects.delete(project!.id);
  await shows(() => heading("All tasks"));
  await click(/^Today/);
  await shows(() => heading("Today"));
  asked.mockRestore();
  expect(history.back).toBe(back);
  history.back();
  await isAt("#/today");
  history.back();
  await shows(() => heading("All tasks"));
});

test("a correction that comes while a step back is under way is made where that leads", async () => {
  const { todo } = await open();
  await submit("New project", "Garden");
  await shows(() => heading("Garden"));
  const [project] = await todo.projects.query();
  await click(/^Today/);
  await shows(() => heading("Today"));
  await click(/^Garden/);
  await shows(() => heading("Garden"));
  await click("Keys and settings");
  await appears(() => dialog("Keys and settings"));
  const { back } = history;
  const asked = vi.spyOn(history, "back").mockImplementation(() => {});
  await close();
  await todo.projects.delete(project!.id);
  await shows(() => heading("All tasks"));
  asked.mockRestore();
  expect(history.back).toBe(back);
  history.back();
  await isAt("#/all");
  history.back();
  await shows(() => heading("Today"));
});
