import { app, table } from "./app";
import {
  choice,
  flag,
  list,
  maybe,
  moment,
  number,
  object,
  reference,
  text,
  whole,
} from "./fields";

export const chat = app("chat", {
  conversations: table(
    {
      title: text,
      model: text,
      template: maybe(reference("templates")),
      isPinned: flag,
      archivedAt: maybe(moment),
      lastAt: moment,
    },
    ["lastAt"],
  ),
  messages: table(
    {
      conversation: reference("conversations"),
      sender: choice("user", "assistant", "system"),
      text,
      sentAt: moment,
      attachments: maybe(list(object({ name: text, url: text, bytes: whole }))),
      tokens: maybe(whole),
    },
    ["conversation", "sentAt"],
  ),
  templates: table({
    name: text,
    prompt: text,
    model: maybe(text),
    temperature: maybe(number),
    isDefault: flag,
  }),
});
