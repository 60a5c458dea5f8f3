import { app, table } from "./app";
import { flag, maybe, moment, number, reference, text } from "./fields";

export const photos = app("photos", {
  albums: table({ name: text, description: maybe(text), cover: maybe(text), isAutomatic: flag }),
  albumItems: table({ album: reference("albums"), media: text, order: number }, ["album"]),
  favorites: table({ media: text, addedAt: moment }, ["media"]),
  tags: table({ name: text, color: maybe(text) }),
  photoTags: table({ media: text, tag: reference("tags") }, ["media", "tag"]),
});
