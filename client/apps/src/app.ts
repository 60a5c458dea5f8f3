/** An app: its id and its tables, of which a device makes the collections it opens. */
import { createLocalCollection, type CollectionOptions, type LocalCollection } from "@syncline/sdk";
import { faultAmong, type Fields, type Values } from "./fields";

export interface Table<F extends Fields = Fields> {
  readonly fields: F;
  /** Fields whose filters are answered by an index; of numbers or texts. */
  readonly indexes: readonly string[];
}

export type Tables = { readonly [name: string]: Table };

export interface App<T extends Tables = Tables> {
  /** As the hub knows it. */
  readonly id: string;
  readonly tables: T;
}

/** A record of a table. */
export type RecordOf<T extends Table> = { id: string } & Values<T["fields"]>;

export type Collections<T extends Tables> = {
  readonly [N in keyof T]: LocalCollection<RecordOf<T[N]>>;
};

/** What a device may add to the definitions. */
export interface Making<T extends Tables> {
  seeds?: { [N in keyof T]?: RecordOf<T[N]>[] };
  sync?: CollectionOptions<never>["sync"];
}

export function table<const F extends Fields>(
  fields: F,
  indexes: readonly (keyof F & string)[] = [],
): Table<F> {
  return { fields, indexes };
}

export function app<const T extends Tables>(id: string, tables: T): App<T> {
  return { id, tables };
}

/** New collections of an app, for one store. Each refuses records that are not of its fields. */
export function collectionsOf<T extends Tables>(
  { tables }: App<T>,
  { seeds = {}, sync }: Making<T> = {},
): Collections<T> {
  const made = Object.entries(tables).map(([name, { fields, indexes }]) => [
    name,
    createLocalCollection<{ id: string }>({
      name,
      schema: { parse: (record) => parse(fields, record) },
      indexes: indexes as CollectionOptions<{ id: string }>["indexes"],
      seed: seeds[name],
      sync,
    }),
  ]);
  return Object.fromEntries(made) as Collections<T>;
}

/** Returns the record, or throws a `TypeError` that names the first field with another value. */
export function parse(fields: Fields, record: unknown): unknown {
  const fault = faultAmong(fields, record as Record<string, unknown>);
  if (fault !== null) throw new TypeError(fault);
  return record;
}
