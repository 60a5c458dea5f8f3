/** The account's token: asked from the app, kept while it serves, dropped when the hub refuses it. */
import { SynclineError } from "../core/errors.js";
import { Deadline } from "../deadline.js";

/** How the app gives a token. */
export interface Auth {
  /** The user's id, the `sub` of the tokens. Every account has a database of its own. */
  account: string;
  /**
   * A token, or `null` if there is none now: the store stays usable and asks again. `refused` is
   * true when the hub did not take the last one, so that one kept by the app is of no use.
   */
  token(asked: { refused: boolean }): string | null | Promise<string | null>;
}

/** The app's function must have answered by then. */
const ANSWER_WITHIN_MS = 30_000;

/** Whoever gives tokens cannot be reached: the device is offline, and that is no error to show. */
export class Unreachable extends Error {}

export class Tokens {
  readonly #auth: Auth;
  #kept: string | null = null;
  #refused = false;

  constructor(auth: Auth) {
    this.#auth = auth;
  }

  /**
   * The kept token, or one from the app. Errors: `token_missing`, `token_failed`,
   * `account_mismatch`, `Unreachable`.
   */
  async get(): Promise<string> {
    return this.#kept ?? (await this.fresh());
  }

  /** A new token from the app. The kept one stays until there is one. Errors: as `get`. */
  async fresh(): Promise<string> {
    const token = await this.#ask();
    if (!token) throw new SynclineError("token_missing", "the app gave no token");
    const subject = subjectOf(token);
    if (subject !== null && subject !== this.#auth.account)
      throw new SynclineError("account_mismatch", "the token is another account's");
    this.#refused = false;
    this.#kept = token;
    return token;
  }

  async #ask(): Promise<string | null> {
    const late = new Deadline(ANSWER_WITHIN_MS, () => new Error("it did not answer"));
    try {
      const asked = async () => this.#auth.token({ refused: this.#refused });
      return await late.before(asked());
    } catch (error) {
      // What `fetch` throws without a network.
      if (error instanceof TypeError) throw new Unreachable();
      throw new SynclineError("token_failed", `the app's token: ${String(error)}`, {
        cause: error,
      });
    } finally {
      late.clear();
    }
  }

  /** The hub refused it. */
  drop(): void {
    this.#kept = null;
    this.#refused = true;
  }
}

/** The `sub` of a JWT, not verified: it only guards against mixing up accounts. `null` if unreadable. */
function subjectOf(token: string): string | null {
  try {
    const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
    return typeof sub === "string" ? sub : null;
  } catch {
    return null;
  }
}
