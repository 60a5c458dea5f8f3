import { app, table } from "./app";
import { choice, list, maybe, moment, reference, text, whole } from "./fields";

export const skilltree = app("skilltree", {
  skills: table(
    {
      name: text,
      description: maybe(text),
      branch: choice("intellect", "body", "creativity", "social", "practical", "mindset", "custom"),
      needs: list(reference("skills")),
      icon: maybe(text),
      experience: whole,
      level: whole,
    },
    ["branch"],
  ),
  activities: table(
    {
      skill: reference("skills"),
      description: text,
      experience: whole,
      minutes: maybe(whole),
      at: moment,
    },
    ["skill", "at"],
  ),
  achievements: table({ key: text, progress: whole, unlockedAt: maybe(moment) }, ["key"]),
});
