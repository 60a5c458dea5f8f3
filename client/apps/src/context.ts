import { app, table } from "./app";
import { choice, flag, list, maybe, reference, text, whole } from "./fields";

export const context = app("context", {
  spaces: table({ name: text, description: maybe(text), prefix: maybe(text), isPinned: flag }),
  documents: table(
    {
      space: maybe(reference("spaces")),
      title: text,
      content: text,
      kind: choice("text", "context", "prompt"),
      tags: list(text),
      words: whole,
      isPinned: flag,
    },
    ["space"],
  ),
});
