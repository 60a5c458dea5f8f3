/** What the Svelte tests show, to be exchanged while it is shown. */
export function choosing<T extends object>(given: T): T {
  let now = $state.raw(given);
  const entries = Object.keys(given).map((name) => [
    name,
    {
      get: () => now[name as keyof T],
      set: (value: unknown) => (now = { ...now, [name]: value }),
    },
  ]);
  return Object.defineProperties({}, Object.fromEntries(entries)) as T;
}
