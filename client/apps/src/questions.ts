import { app, table } from "./app";
import { choice, flag, list, maybe, moment, object, reference, text, whole } from "./fields";

export const questions = app("questions", {
  collections: table({ name: text, description: maybe(text), place: whole }),
  questions: table(
    {
      collection: maybe(reference("collections")),
      text,
      details: maybe(text),
      status: choice("open", "researching", "answered", "archived"),
      priority: choice("low", "normal", "high"),
      tags: list(text),
      askedAt: moment,
    },
    ["collection"],
  ),
  answers: table(
    {
      question: reference("questions"),
      text,
      sources: list(object({ title: text, url: text })),
      rating: maybe(whole),
      isAccepted: flag,
    },
    ["question"],
  ),
});
