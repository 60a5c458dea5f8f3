import { app, table } from "./app";
import { choice, day, flag, list, maybe, object, text } from "./fields";

const kind = choice("home", "work", "other");

export const contacts = app("contacts", {
  contacts: table(
    {
      firstName: text,
      lastName: maybe(text),
      company: maybe(text),
      emails: list(object({ kind, address: text })),
      phones: list(object({ kind, number: text })),
      address: maybe(
        object({ street: maybe(text), city: maybe(text), code: maybe(text), country: maybe(text) }),
      ),
      birthday: maybe(day),
      notes: maybe(text),
      isFavorite: flag,
    },
    ["firstName"],
  ),
});
