import { app, table } from "./app";
import { choice, flag, list, maybe, moment, reference, text, whole } from "./fields";

export const calendar = app("calendar", {
  calendars: table({ name: text, color: text, isVisible: flag, timezone: text }),
  events: table(
    {
      calendar: reference("calendars"),
      title: text,
      description: maybe(text),
      location: maybe(text),
      startsAt: moment,
      endsAt: moment,
      isAllDay: flag,
      timezone: text,
      /** An RRULE of RFC 5545, and the occurrences it leaves out. */
      repeat: maybe(text),
      except: maybe(list(moment)),
      status: choice("confirmed", "tentative", "cancelled"),
      remindMinutesBefore: maybe(list(whole)),
    },
    ["calendar", "startsAt"],
  ),
});
