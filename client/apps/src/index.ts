/** The collections of the first user's nineteen apps. `fields` are the types, `app` makes collections of them. */
export { app, collectionsOf, parse, table } from "./app";
export type { App, Collections, Making, RecordOf, Table, Tables } from "./app";
export type { Field, Fields, Shape, Values } from "./fields";
import { todo } from "./todo";
import { quotes } from "./quotes";
import { calendar } from "./calendar";
import { clock } from "./clock";
import { cards } from "./cards";
import { contacts } from "./contacts";
import { picture } from "./picture";
import { presi } from "./presi";
import { inventar } from "./inventar";
import { food } from "./food";
import { planta } from "./planta";
import { storage } from "./storage";
import { chat } from "./chat";
import { questions } from "./questions";
import { mukke } from "./mukke";
import { context } from "./context";
import { photos } from "./photos";
import { skilltree } from "./skilltree";
import { citycorners } from "./citycorners";

export const apps = [
  todo,
  quotes,
  calendar,
  clock,
  cards,
  contacts,
  picture,
  presi,
  inventar,
  food,
  planta,
  storage,
  chat,
  questions,
  mukke,
  context,
  photos,
  skilltree,
  citycorners,
] as const;
