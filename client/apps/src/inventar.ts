import { app, table } from "./app";
import { day, list, maybe, number, object, reference, text, whole } from "./fields";

export const inventar = app("inventar", {
  collections: table({ name: text, description: maybe(text), icon: maybe(text) }),
  items: table(
    {
      collection: reference("collections"),
      location: maybe(reference("locations")),
      category: maybe(reference("categories")),
      name: text,
      count: whole,
      price: maybe(object({ amount: number, currency: text })),
      boughtOn: maybe(day),
      warrantyUntil: maybe(day),
      photos: list(text),
      notes: maybe(text),
    },
    ["collection", "location"],
  ),
  locations: table({ name: text, within: maybe(reference("locations")) }),
  categories: table({ name: text, color: maybe(text), within: maybe(reference("categories")) }),
});
