/** Puts an app into its page; where a browser does not let it begin, it says why. */

const NOTHING_KEPT =
  "This browser is set to keep no data of this site. Todo keeps your tasks on this device: allow it " +
  "to in the browser's settings, and load this page again.";

export function start(mount: (target: HTMLElement) => void): void {
  const target = document.getElementById("app")!;
  try {
    mount(target);
  } catch (error) {
    if ((error as Partial<DOMException>).name !== "SecurityError") throw error;
    const [main, title, why] = ["main", "h1", "p"].map((name) => document.createElement(name));
    main!.append(title!, why!);
    main!.style.padding = "1rem";
    title!.textContent = "Todo";
    why!.textContent = NOTHING_KEPT;
    target.replaceChildren(main!);
  }
}
