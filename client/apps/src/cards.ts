import { app, table } from "./app";
import { flag, list, maybe, moment, number, reference, text, whole } from "./fields";

export const cards = app("cards", {
  decks: table({ name: text, description: maybe(text), color: text, isPublic: flag }),
  cards: table(
    {
      deck: reference("decks"),
      front: text,
      back: text,
      tags: list(text),
      /** Spaced repetition: how easy it is (1.3 or more), and the days to the next review. */
      ease: number,
      intervalDays: whole,
      reviews: whole,
      dueAt: maybe(moment),
    },
    ["deck", "dueAt"],
  ),
});
