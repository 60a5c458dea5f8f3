/**
 * How a tab goes on where another one has gone that could not open the database which this tab has
 * open: what is unsent goes along by the connection there is.
 */
import type { Session } from "./session.js";
import { formersOf } from "./storage/former.js";
import { moveUnsent } from "./storage/moving.js";
import { tellAll } from "./storage/places.js";
import { keepLoss } from "./storage/salvage.js";
import { remains } from "./storage/remains.js";

export async function moveOn(before: Session, next: Session): Promise<void> {
  const [from, to] = [before.db, next.db];
  // What was erased there or left behind at a sign-out does not come back.
  if ((await formersOf(to)).some(({ name }) => name === from.asked)) {
    const { id } = await from.read("client");
    await moveUnsent(from, to, id);
    if (from.place === to.place - 1) await keepLoss(to, await from.read("lost"));
    tellAll(to.asked, before.options.around);
  }
  before.closeFor(next, await remains(from));
  next.wrote();
}
