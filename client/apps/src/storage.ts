import { app, table } from "./app";
import { flag, maybe, moment, reference, text, whole } from "./fields";

export const storage = app("storage", {
  files: table(
    {
      folder: maybe(reference("folders")),
      name: text,
      mediaType: text,
      bytes: whole,
      /** Of its content, which is kept elsewhere: SHA-256 in hexadecimal. */
      hash: text,
      isStarred: flag,
      trashedAt: maybe(moment),
    },
    ["folder"],
  ),
  folders: table({ name: text, within: maybe(reference("folders")), color: maybe(text) }),
  tags: table({ name: text, color: maybe(text) }),
  fileTags: table({ file: reference("files"), tag: reference("tags") }, ["file", "tag"]),
});
