/** What this device is to do otherwise. It is not synced: another device has other hands. */
import { keep } from "./keep";

/** There if single letters are no commands. */
const NO_LETTERS = "syncline-todo-no-letters";

/** Whether single letters are commands, which is in the way of who speaks what others type. */
export const takesLetters = () => localStorage.getItem(NO_LETTERS) === null;

export function takeLetters(takes: boolean): void {
  keep(localStorage, NO_LETTERS, takes ? null : "1");
}
