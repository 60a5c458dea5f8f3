/** What the Svelte tests show, to be changed while it is shown. */
export function choosing(done: boolean): { done: boolean } {
  const shown = $state({ done });
  return shown;
}
