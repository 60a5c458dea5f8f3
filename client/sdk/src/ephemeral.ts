/** Presence, broadcasts and notices: told to who is connected, and kept by nobody. */
import type { Home, Live } from "./collection.js";
import { SynclineError } from "./core/errors.js";
import { checkLabel, toJson, type Json } from "./core/json.js";
import { bytesOf } from "./core/utf8.js";
import type { Ephemeral as Told } from "./core/wire.js";

/** UTF-8 bytes of a presence or a broadcast's data as JSON. */
const BYTES_MAX = 4_096;

/** Another device that shows something of itself. */
export interface Present<T extends Json = Json> {
  /** Its client id, which tells devices apart for as long as they are connected. */
  client: string;
  state: T;
}

/** A message of another device. */
export type Broadcast = Omit<Extract<Told, { t: "broadcast" }>, "t">;

/** Something the hub tells, such as a reminder. */
export type Notice = Omit<Extract<Told, { t: "notice" }>, "t">;

export class Ephemeral {
  readonly #home: Home;

  constructor(home: Home) {
    this.#home = home;
  }

  /**
   * Shows `state` to the account's other devices until something else is shown, `null` ends it, or
   * this device goes. A device has one presence, whichever of its tabs shows it. Errors:
   * `value_invalid`, `ephemeral_too_large`.
   */
  async show(state: Json): Promise<void> {
    const checked = small(state, "a presence");
    (await this.#home.session()).tell({ t: "presence", state: checked });
  }

  /** The other devices that show something, now and whenever that changes. */
  others<T extends Json = Json>(): Live<Present<T>[]> {
    return {
      subscribe: (next) =>
        this.#each(({ others }, told) => {
          if (told && told.t !== "presence") return;
          next([...others].map(([client, state]) => ({ client, state: state as T })));
        }, true),
    };
  }

  /**
   * Tells the devices that are connected now; without a connection nobody is told. `room` is a
   * label, 1 to 128 bytes. Errors: `value_invalid`, `ephemeral_too_large`.
   */
  async broadcast(room: string, data: Json): Promise<void> {
    checkLabel(room, "a room's name");
    const checked = small(data, "a broadcast");
    (await this.#home.session()).tell({ t: "broadcast", room, data: checked });
  }

  /** Calls back with what other devices broadcast. Returns what ends it. */
  onBroadcast(call: (broadcast: Broadcast) => void): () => void {
    return this.#each((_, told) => {
      if (told?.t === "broadcast") call({ room: told.room, from: told.from, data: told.data });
    });
  }

  /** Calls back with what the hub tells. Returns what ends it. */
  onNotice(call: (notice: Notice) => void): () => void {
    return this.#each((_, told) => {
      if (told?.t === "notice") call({ kind: told.kind, data: told.data });
    });
  }

  /** Listens to whichever session there is; `now` calls at once with each. */
  #each(
    call: (state: { others: Map<string, Json> }, told?: Told) => void,
    now = false,
  ): () => void {
    let stop: (() => void) | undefined;
    const end = this.#home.eachSession(({ ephemeral }) => {
      stop?.();
      stop = ephemeral.listen((told) => call(ephemeral, told));
      if (now) call(ephemeral);
    });
    return () => {
      end();
      stop?.();
    };
  }
}

function small(value: Json, what: string): Json {
  const checked = toJson(value, what);
  if (bytesOf(JSON.stringify(checked)) > BYTES_MAX)
    throw new SynclineError("ephemeral_too_large", `${what} is more than ${BYTES_MAX} bytes`);
  return checked;
}
