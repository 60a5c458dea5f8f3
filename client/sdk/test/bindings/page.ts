/** Waits for what a page shows. */

/** Resolves when `holds` no longer throws; it is asked at every change of the page. */
export function shows(holds: () => void): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      try {
        holds();
      } catch {
        return;
      }
      observer.disconnect();
      resolve();
    };
    const observer = new MutationObserver(look);
    observer.observe(document, {
      childList: true,
      subtree: true,
      characterData: true,
      attributes: true,
    });
    look();
  });
}

export const textsOf = (selector: string): (string | null)[] =>
  [...document.querySelectorAll(selector)].map((one) => one.textContent);

export const textOf = (selector: string): string =>
  (document.querySelector(selector)?.textContent ?? "").replace(/\s+/g, " ").trim();
