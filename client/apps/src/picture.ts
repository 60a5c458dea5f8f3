import { app, table } from "./app";
import { flag, maybe, moment, number, object, reference, text, whole } from "./fields";

export const picture = app("picture", {
  images: table(
    {
      prompt: text,
      url: text,
      model: text,
      width: whole,
      height: whole,
      seed: maybe(whole),
      isFavorite: flag,
      madeAt: moment,
    },
    ["madeAt"],
  ),
  boards: table({ name: text, background: maybe(text), isShared: flag }),
  boardItems: table(
    {
      board: reference("boards"),
      image: reference("images"),
      at: object({ x: number, y: number }),
      size: object({ width: number, height: number }),
      /** In degrees, clockwise. */
      rotation: number,
      layer: whole,
    },
    ["board"],
  ),
  tags: table({ name: text, color: maybe(text) }),
  imageTags: table({ image: reference("images"), tag: reference("tags") }, ["image", "tag"]),
});
