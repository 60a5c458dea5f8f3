/** Who is called back. What one of them throws keeps nobody from anything, and is told as a fault. */

export function callAll<A extends unknown[]>(calls: Iterable<(...told: A) => void>, ...told: A) {
  for (const call of [...calls]) {
    try {
      call(...told);
    } catch (error) {
      if (typeof reportError === "function") reportError(error);
      else console.error(error);
    }
  }
}
