/** What the hub tells a device, as records of `@notifications` and as payloads of Web Push. */
import type { Identified } from "../collection.js";

/** How somebody is told: by an open page, by Web Push, by mail, or by another server. */
export type Channel = "notice" | "push" | "mail" | "webhook";

/** What a notification is about. */
export interface NotificationItem {
  /** Of one firing: `reminders/r1@1795514400000`. It is the same wherever it is told. */
  key: string;
  /** The reminder's table and id. */
  table: string;
  id: string;
  /** The id of the reminder's task. */
  task: string | null;
}

/** A notification as the hub keeps it: 500 of the last 30 days. */
export interface NotificationRecord extends Identified {
  /** `reminder`. */
  kind: string;
  /** When it was told, and until when it is of use: ISO 8601. */
  at: string;
  expires: string;
  /** Whether it was told after its time. */
  late: boolean;
  /** In the user's language. */
  title: string;
  body: string;
  language: string;
  /** At most 20, each with when it was due (ISO 8601) and what it is called. */
  items: (NotificationItem & { due: string; title: string })[];
  /** How many more there were. */
  more: number;
  channels: Channel[];
  /** What became of it by channel, once something has been sent. */
  receipts: Receipts | null;
}

/** Counts of devices by channel. */
export type Receipts = {
  [channel in Channel]?: { sent: number; failed: number; gone: number };
} & {
  /** Nothing more is sent. */
  done?: boolean;
};

/** What a browser is pushed. */
export interface PushPayload {
  v: 1;
  /** The notification's id. */
  id: string;
  app: string;
  kind: string;
  title: string;
  body: string;
  /** Of `title` and `body`; empty if it is not said. */
  language: string;
  /** When it was told: ISO 8601. */
  at: string;
  late: boolean;
  /** Those of the notification that had room. */
  items: NotificationItem[];
  /** How many it has besides. */
  more: number;
}

/** `undefined` for what is none, or of another version. Members of a newer hub are left out. */
export function readPayload(text: string | undefined): PushPayload | undefined {
  const raw = parsed(text);
  if (raw?.["v"] !== 1) return undefined;
  const { id, app, title, items = [] } = raw;
  if (![id, app, title].every((one) => typeof one === "string" && one !== "")) return undefined;
  if (!Array.isArray(items)) return undefined;
  const read = items.map(readItem);
  if (read.some((item) => item === undefined)) return undefined;
  return {
    v: 1,
    id: id as string,
    app: app as string,
    kind: textOf(raw["kind"]),
    title: title as string,
    body: textOf(raw["body"]),
    language: textOf(raw["language"]),
    at: textOf(raw["at"]),
    late: raw["late"] === true,
    items: read as NotificationItem[],
    more: typeof raw["more"] === "number" ? raw["more"] : 0,
  };
}

function readItem(raw: unknown): NotificationItem | undefined {
  const { key, table, id, task } = (raw ?? {}) as Record<string, unknown>;
  if (typeof key !== "string" || key === "") return undefined;
  return {
    key,
    table: textOf(table),
    id: textOf(id),
    task: typeof task === "string" ? task : null,
  };
}

function parsed(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const raw: unknown = JSON.parse(text ?? "");
    return typeof raw === "object" && raw !== null ? (raw as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const textOf = (raw: unknown): string => (typeof raw === "string" ? raw : "");
