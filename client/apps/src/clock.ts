import { app, table } from "./app";
import { choice, clock as timeOfDay, flag, list, maybe, moment, text, whole } from "./fields";

export const clock = app("clock", {
  alarms: table({
    label: maybe(text),
    at: timeOfDay,
    days: list(choice("mo", "tu", "we", "th", "fr", "sa", "su")),
    isOn: flag,
    sound: maybe(text),
    snoozeMinutes: whole,
  }),
  timers: table({
    label: maybe(text),
    seconds: whole,
    state: choice("idle", "running", "paused", "over"),
    startedAt: maybe(moment),
    secondsLeft: maybe(whole),
  }),
  worldClocks: table({ city: text, timezone: text, place: whole }),
});
