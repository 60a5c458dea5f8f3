import { app, table } from "./app";
import { choice, flag, list, maybe, object, reference, text, whole } from "./fields";

export const presi = app("presi", {
  decks: table({ title: text, description: maybe(text), theme: text, isPublic: flag }),
  slides: table(
    {
      deck: reference("decks"),
      place: whole,
      layout: choice("title", "text", "image", "split"),
      title: maybe(text),
      points: list(text),
      image: maybe(object({ url: text, alt: text })),
      notes: maybe(text),
    },
    ["deck"],
  ),
});
