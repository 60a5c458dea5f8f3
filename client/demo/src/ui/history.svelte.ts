/**
 * The browser's history: each view, search, edited task and sheet is a step of it, which Back takes
 * back. What closes such a layer itself takes the step back too, so none is left that does nothing.
 *
 * The browser keeps the steps over reloads and sign-outs, and takes none of them out: those of a former
 * account lead to what is nobody's of it, and say no more once somebody has been there.
 */
import { linkTo, placeOf, withoutOwn, type Place } from "../model/places";
import { isSame } from "../model/views";
import type { App, Sheet } from "./app.svelte";

/** What the browser keeps of a step, beside its link. */
interface Step {
  sheet: Sheet | null;
  /** What was there before it, by `nameOf`; `null` at the beginning. */
  before: string | null;
  /** The id of the era that it is of. */
  era: string;
}

type Stop = Place & { sheet: Sheet | null };

/** How long a step back may take, in milliseconds. One that leads nowhere is told by nothing. */
const BACK_MS = 2_000;

/** After how long a step is written again that the browser did not take, in milliseconds. */
const AGAIN_MS = 1_000;

const nameOf = (stop: Stop) => `${linkTo(stop)} ${stop.sheet ?? ""}`;

/** That where the browser is; `null` where a link has led that was opened or typed. */
const step = () => history.state as Step | null;

/** Where the browser says the page is. */
const there = (): Stop => ({ ...placeOf(location.hash), sheet: step()?.sheet ?? null });

/** Takes the page to where its link says, and follows it from then on. Called while it is set up. */
export function follow(app: App): void {
  const steps = new Steps(app);
  $effect(() => steps.write());
  $effect(() => steps.listen());
}

class Steps {
  readonly #app: App;
  /** A step back of the page's own that is under way: browsers take it later. */
  #back: { to: string; ends: ReturnType<typeof setTimeout> } | null = null;
  /** Those of the app's corrections that the history has. */
  #corrections: number;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(app: App) {
    this.#app = app;
    this.#corrections = app.corrections;
    const { place, isOwn } = this.#leads();
    app.arrive(place, null);
    // A sheet does not outlive its page; its step would do nothing.
    const last = step();
    if (isOwn && last?.sheet && last.before !== null) this.#goBack(last.before);
  }

  listen(): () => void {
    const moved = () => this.#moved();
    addEventListener("popstate", moved);
    return () => {
      removeEventListener("popstate", moved);
      clearTimeout(this.#again);
      clearTimeout(this.#back?.ends);
    };
  }

  /** Has the browser say where the page is. */
  write(): void {
    const now = this.#now();
    const { era, corrections } = this.#app;
    if (this.#back) return;
    const [was, last] = [there(), step()];
    const isThere = nameOf(now) === nameOf(was);
    const isAnothers = last !== null && last.era !== era.id;
    if (isThere && last?.era === era.id) {
      this.#corrections = corrections;
      return;
    }
    const isCorrected = isAnothers || corrections !== this.#corrections;
    const isLayer = isCorrected || isSame(now.view, was.view);
    if (!isThere && isLayer && last?.before === nameOf(now)) {
      // Forward leads there again.
      if (isAnothers) this.#put("replaceState", now, last.before);
      return this.#goBack(last.before);
    }
    const goesOn =
      isThere ||
      isCorrected ||
      was.sheet !== null ||
      (was.task !== null && now.task !== was.task) ||
      (was.search !== "" && now.search !== "" && now.task === null && now.sheet === null);
    const before = goesOn ? (last?.before ?? null) : nameOf(was);
    this.#put(goesOn ? "replaceState" : "pushState", now, isAnothers ? null : before);
  }

  /** Where the browser's step leads in this era, and whether it is of it. */
  #leads(): { place: Place; isOwn: boolean } {
    const last = step();
    const isOwn = last === null || last.era === this.#app.era.id;
    const place = placeOf(location.hash);
    return { place: isOwn ? place : withoutOwn(place), isOwn };
  }

  #now(): Stop {
    const { view, search, editing, sheet } = this.#app;
    return { view, search, task: editing, sheet };
  }

  #put(how: "pushState" | "replaceState", now: Stop, before: string | null): void {
    const { era, corrections } = this.#app;
    const made: Step = { sheet: now.sheet, before, era: era.id };
    // What a link says in other words stays as it was written.
    const link = nameOf(now) === nameOf(there()) ? undefined : linkTo(now);
    clearTimeout(this.#again);
    try {
      history[how](made, "", link);
    } catch {
      // Seen below.
    }
    // Who writes often is refused for a while: some browsers throw, some do nothing.
    if (nameOf(there()) === nameOf(now) && step()?.era === era.id) this.#corrections = corrections;
    else this.#again = setTimeout(() => this.write(), AGAIN_MS);
  }

  #goBack(to: string): void {
    // It is what carries them out; what is to be corrected meanwhile is so where it leads.
    this.#corrections = this.#app.corrections;
    this.#back = { to, ends: setTimeout(() => this.#stay(), BACK_MS) };
    history.back();
  }

  /** There is nothing to go back to: the page is somewhere else without a step. */
  #stay(): void {
    this.#back = null;
    this.#put("replaceState", this.#now(), null);
  }

  #moved(): void {
    const isBack = this.#back !== null && nameOf(there()) === this.#back.to;
    clearTimeout(this.#back?.ends);
    this.#back = null;
    if (!isBack) {
      const { place, isOwn } = this.#leads();
      this.#app.arrive(place, isOwn ? (step()?.sheet ?? null) : null);
    }
    // The page may be elsewhere by now, or the step another's.
    this.write();
  }
}
