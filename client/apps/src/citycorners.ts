import { app, table } from "./app";
import { choice, list, maybe, moment, number, object, reference, text } from "./fields";

export const citycorners = app("citycorners", {
  locations: table(
    {
      name: text,
      kind: choice("sight", "restaurant", "shop", "museum", "park", "other"),
      description: maybe(text),
      address: maybe(text),
      /** In degrees north and east, WGS 84. */
      at: object({ latitude: number, longitude: number }),
      photos: list(text),
      hours: maybe(text),
    },
    ["kind"],
  ),
  favorites: table({ location: reference("locations"), note: maybe(text), addedAt: moment }, [
    "location",
  ]),
});
