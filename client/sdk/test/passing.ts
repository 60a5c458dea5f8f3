import { vi } from "vitest";

/** Lets the time of fake timers pass until something is done. */
export async function passing<T>(work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = () => (isDone = true);
  void work.then(done, done);
  while (!isDone) {
    await vi.advanceTimersByTimeAsync(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}
