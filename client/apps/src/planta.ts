import { app, table } from "./app";
import { choice, day, flag, maybe, moment, number, reference, text, whole } from "./fields";

export const planta = app("planta", {
  plants: table({
    name: text,
    species: maybe(text),
    place: maybe(text),
    light: choice("shade", "half", "sun"),
    boughtOn: maybe(day),
    notes: maybe(text),
    isAlive: flag,
  }),
  plantPhotos: table({ plant: reference("plants"), url: text, takenAt: moment, isCover: flag }, [
    "plant",
  ]),
  wateringSchedules: table(
    { plant: reference("plants"), everyDays: whole, litres: number, next: day, isOn: flag },
    ["plant"],
  ),
  wateringLogs: table(
    { plant: reference("plants"), at: moment, litres: number, withFertilizer: flag },
    ["plant"],
  ),
});
