/** Questions to the hub over HTTP, with the account's token, and its answers or why there is none. */
import { SynclineError } from "../core/errors.js";
import type { Auth } from "../sync/tokens.js";

/** Whose notifications, and where they are to be had. */
export interface HubAccess {
  /** The hub's address, as the store has it. */
  serverUrl: string;
  /** The app, as the hub knows it. */
  app: string;
  /** The user's token, or what gives one, as the store has it. */
  token: string | Auth["token"];
  /** What takes the place of the browser's own. */
  fetch?: typeof fetch;
}

interface Question {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/api/v1`. */
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
}

/** An answer that has not come by then is given up. */
const ANSWER_WITHIN_MS = 40_000;

/** What stands before a hub says where there is none. */
const AWAY = [502, 503, 504];

/**
 * Returns the answer's JSON; `undefined` where it has no body. A token that is refused is asked for
 * once more. Errors: `token_missing`, `token_failed`, `unreachable`, `protocol`, and the hub's own.
 */
export async function ask(access: HubAccess, question: Question): Promise<unknown> {
  const first = await send(access, question, false);
  const isRefused = first.status === 401 && typeof access.token === "function";
  return answerOf(isRefused ? await send(access, question, true) : first);
}

async function send(
  access: HubAccess,
  { method = "GET", path, query = {}, body }: Question,
  refused: boolean,
): Promise<Response> {
  const token = await tokenOf(access, refused);
  const url = new URL(`${access.serverUrl.replace(/\/+$/, "")}/api/v1${path}`);
  url.searchParams.set("app", access.app);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(name, String(value));
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const asks = access.fetch ?? ((...asked: Parameters<typeof fetch>) => fetch(...asked));
  try {
    return await asks(url.href, { method, headers, body: text, signal });
  } catch (cause) {
    throw unreachable(cause);
  }
}

async function answerOf(response: Response): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    throw unreachable(cause);
  }
  const body = parsed(text);
  if (response.ok && (text === "" || body !== undefined)) return body;
  const { code, message } = (body ?? {}) as { code?: unknown; message?: unknown };
  if (!response.ok && typeof code === "string")
    throw new SynclineError(code, typeof message === "string" ? message : code);
  if (AWAY.includes(response.status)) throw unreachable(undefined);
  throw new SynclineError("protocol", `the hub's address answered ${response.status} otherwise`);
}

async function tokenOf({ token }: HubAccess, refused: boolean): Promise<string> {
  let given: string | null;
  try {
    given = typeof token === "string" ? token : await token({ refused });
  } catch (cause) {
    // What `fetch` throws without a network.
    if (cause instanceof TypeError) throw unreachable(cause);
    throw new SynclineError("token_failed", `the app's token: ${String(cause)}`, { cause });
  }
  if (!given) throw new SynclineError("token_missing", "the app gave no token");
  return given;
}

function unreachable(cause: unknown): SynclineError {
  return new SynclineError("unreachable", "the hub cannot be reached", { cause });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** What an answer must be. Errors: `protocol`. */
export function expects<T>(answer: unknown, is: (answer: T) => boolean, what: string): T {
  if (typeof answer === "object" && answer !== null && is(answer as T)) return answer as T;
  throw new SynclineError("protocol", `the hub told no ${what}`);
}
