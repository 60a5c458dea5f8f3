/** A newer build of the app: it is found, offered, and taken when somebody says so, never before. */
export class Updates {
  /** A newer build is here than the page is of. */
  isOffered = $state(false);
  #registration: ServiceWorkerRegistration | undefined;
  /** Somebody said so in this tab. */
  #isAsked = false;

  /** `open` is called with a task's id when its reminder was tapped. Returns what ends it. */
  follow(
    container: ServiceWorkerContainer,
    registration: ServiceWorkerRegistration,
    open: (task: string) => void,
  ): () => void {
    this.#registration = registration;
    const listening = new AbortController();
    const { signal } = listening;
    // A page's first worker is no newer one.
    let wasControlled = container.controller !== null;
    const found = () => {
      const worker = registration.installing;
      worker?.addEventListener("statechange", () => worker.state === "installed" && look(), {
        signal,
      });
    };
    const look = () => {
      if (registration.waiting && wasControlled) this.isOffered = true;
    };
    const changed = () => {
      if (this.#isAsked) location.reload();
      // Another tab took it. This one goes on with its own parts.
      else if (wasControlled) this.isOffered = true;
      wasControlled = true;
    };
    registration.addEventListener("updatefound", found, { signal });
    container.addEventListener("controllerchange", changed, { signal });
    const heard = ({ data }: MessageEvent) => {
      const task = (data as { open?: string } | null)?.open;
      if (task !== undefined) open(task);
    };
    container.addEventListener("message", heard as EventListener, { signal });
    // A page that is open for days asks, too.
    const seen = () => document.hidden || void registration.update().catch(() => {});
    document.addEventListener("visibilitychange", seen, { signal });
    found();
    look();
    registration.active?.postMessage("started");
    return () => listening.abort();
  }

  take(): void {
    this.#isAsked = true;
    const waiting = this.#registration?.waiting;
    if (waiting) waiting.postMessage("take over");
    else location.reload();
  }
}
