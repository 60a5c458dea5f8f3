/** Waits for what nothing tells of. */
import { vi } from "vitest";

/** A test's own limit ends it: the default of a second is less than a slow machine may take. */
const HUNG = { timeout: 60_000 };

/** Resolves when `holds` is true. */
export const until = (holds: () => unknown) => vi.waitUntil(holds, HUNG);

/** Resolves when `check` no longer throws or rejects. */
export const passes = (check: () => unknown) => vi.waitFor(check, HUNG);
