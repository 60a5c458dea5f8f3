import { app, table } from "./app";
import { choice, day, list, maybe, moment, number, object, text, whole } from "./fields";

/** In grams, but for the energy, in kilocalories. */
const nutrients = { energy: number, protein: number, carbohydrates: number, fat: number };

export const food = app("food", {
  meals: table(
    {
      name: text,
      kind: choice("breakfast", "lunch", "dinner", "snack"),
      eatenAt: moment,
      foods: list(object({ name: text, grams: number, ...nutrients })),
      photo: maybe(text),
      rating: maybe(whole),
    },
    ["eatenAt"],
  ),
  goals: table({ from: day, ...nutrients, waterMl: maybe(whole) }),
  favorites: table({ name: text, grams: number, ...nutrients }),
});
