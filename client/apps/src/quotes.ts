import { app, table } from "./app";
import { list, maybe, moment, reference, text } from "./fields";

export const quotes = app("quotes", {
  favorites: table({ quote: text, note: maybe(text), addedAt: moment }, ["quote"]),
  lists: table({ name: text, description: maybe(text), quotes: list(reference("favorites")) }),
});
