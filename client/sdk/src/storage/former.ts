/**
 * What a database has to do with those whose place it took: it makes their unsent writes again when
 * they can be read. Nothing of them belongs in it once what was its own has moved into an account,
 * was erased, or was left behind at a sign-out. An account looks after those of a guest who moved in.
 */
import type { Database } from "./database.js";
import { forget } from "./places.js";
import type { Surroundings } from "../surroundings.js";

const ALONE = "alone";
const LEFT = "left";
const INHERITED = "before ";

/** The databases of this name in the places before this one. */
export interface Former {
  name: string;
  before: number;
}

/** Those that it looks after. */
export async function formersOf(db: Database): Promise<Former[]> {
  const done = await db.read("done");
  const isAlone = db.place === 1 || done.includes(ALONE);
  return [...(isAlone ? [] : [{ name: db.asked, before: db.place }]), ...inheritedIn(done)];
}

/** Has it look after those of another one, too. */
export async function inherit(db: Database, { name, before }: Former): Promise<void> {
  await note(db, `${INHERITED}${before} ${name}`);
}

function inheritedIn(done: string[]): Former[] {
  return done
    .filter((one) => one.startsWith(INHERITED))
    .map((one) => one.slice(INHERITED.length))
    .map((one) => ({ before: parseInt(one), name: one.slice(one.indexOf(" ") + 1) }));
}

/** It looks after none any more. */
export async function leaveAlone(db: Database): Promise<void> {
  const done = await db.read("done");
  const others = done.filter((one) => one !== ALONE && !one.startsWith(INHERITED));
  await db.keep("done", [...others, ALONE]);
}

export async function isAlone(db: Database): Promise<boolean> {
  return (await db.read("done")).includes(ALONE);
}

/** The account was signed out: tabs that have another place open are not signed in any more. */
export function noteLeft(db: Database): Promise<void> {
  return note(db, LEFT);
}

export async function wasLeft(db: Database): Promise<boolean> {
  return (await db.read("done")).includes(LEFT);
}

/** Deletes them. */
export function forgetFormers(formers: Former[], around: Surroundings): void {
  for (const { name, before } of formers) forget(name, around, before - 1);
}

async function note(db: Database, what: string): Promise<void> {
  const done = await db.read("done");
  if (!done.includes(what)) await db.keep("done", [...done, what]);
}
