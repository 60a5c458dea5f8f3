/** Says of types what they are: what does not hold does not compile. */

/** Whether two types are the same; `any` is the same only as itself. */
export type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `holds<Same<typeof task, Task>>()`. */
export function holds<_ extends true>(): void {}
