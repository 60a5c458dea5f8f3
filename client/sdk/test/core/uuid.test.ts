import { expect, test } from "vitest";
import { uuid } from "../../src/core/uuid";

test.each([true, false])(
  "a random name is a UUID, whether the page has those or not (%s)",
  (has) => {
    if (!has) Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    const made = new Set(Array.from({ length: 100 }, uuid));
    expect(made.size).toBe(100);
    for (const one of made)
      expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    if (!has) delete (crypto as { randomUUID?: unknown }).randomUUID;
  },
);
