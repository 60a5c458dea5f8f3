/** A server of the hub's questions about notifications, in memory, for tests. Its tokens are users' names. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Device, Preferences } from "../../src/notifications/hub";

const DEVICES_MAX = 20;
const NOW = "2026-11-24T10:00:00.000Z";

type Answer = [status: number, body?: unknown];

interface Of {
  devices: Map<string, Device>;
  forgotten: string[];
  preferences: Preferences;
  told: { id: string }[];
}

interface Asked {
  kind: Device["kind"];
  subscription?: { endpoint?: string };
  to?: string;
  name?: string;
  language?: string;
}

const refuse = (status: number, code: string): Answer => [
  status,
  { code, message: `it is ${code}` },
];

export class NotificationServer {
  /** What it was asked: method and address. */
  readonly asked: string[] = [];
  publicKey: string | null = null;
  /** Answers in its place, once each. */
  readonly next: Answer[] = [];
  readonly #users = new Map<string, Of>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const [status, body] = await this.#answer(request);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(
        body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body),
      );
    });
  }

  static async start(): Promise<NotificationServer> {
    const made = new NotificationServer();
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  of(user: string): Of {
    const there = this.#users.get(user) ?? {
      devices: new Map(),
      forgotten: [],
      preferences: {},
      told: [],
    };
    this.#users.set(user, there);
    return there;
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method, url, headers } = request;
    this.asked.push(`${method} ${url}`);
    const body = await text(request);
    const instead = this.next.shift();
    if (instead) return instead;
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
    if (!token || token === "refused") return refuse(401, "token_invalid");
    const { pathname, searchParams } = new URL(url ?? "", this.url);
    if (searchParams.get("app") !== "todo") return refuse(404, "app_unknown");
    const given = body === "" ? undefined : (JSON.parse(body) as unknown);
    const of = this.of(token);
    const [what, id] = pathname.replace("/api/v1/", "").split(/\/(?=[^/]+$)/);
    switch (`${method} ${what}${id ? `/${what === "devices" ? ":id" : id}` : ""}`) {
      case "GET devices":
        return [
          200,
          {
            devices: [...of.devices.values()],
            forgotten: of.forgotten,
            publicKey: this.publicKey,
            kinds: ["push"],
          },
        ];
      case "POST devices":
        return this.#add(of, given as Asked);
      case "DELETE devices/:id":
        return this.#forget(of, decodeURIComponent(id!));
      case "GET notifications/preferences":
        return [200, of.preferences];
      case "PUT notifications/preferences":
        if ("colour" in (given as object)) return refuse(422, "preferences_invalid");
        of.preferences = given as Preferences;
        return [200, given];
      case "GET notifications":
        return this.#history(of, searchParams);
      default:
        return refuse(404, "not_found");
    }
  }

  #forget(of: Of, id: string): Answer {
    if (!of.devices.delete(id)) return refuse(404, "device_unknown");
    of.forgotten.push(id);
    return [204];
  }

  #add(of: Of, { kind, subscription, to, name = "", language = null! }: Asked): Answer {
    const { devices } = of;
    const address = subscription?.endpoint ?? to ?? "";
    if (address === "") return refuse(422, "device_invalid");
    const id = createHash("sha256").update(`${kind}\0${address}`).digest("hex").slice(0, 32);
    const there = devices.get(id);
    if (!there && devices.size >= DEVICES_MAX) return refuse(409, "too_many_devices");
    const device = there ?? { id, kind, name, language, createdAt: NOW, seenAt: NOW };
    devices.set(id, device);
    of.forgotten = of.forgotten.filter((one) => one !== id);
    return [200, device];
  }

  #history({ told }: Of, asked: URLSearchParams): Answer {
    const before = asked.get("before");
    const limit = Number(asked.get("limit") ?? 100);
    const newest = [...told].sort((a, b) => (a.id < b.id ? 1 : -1));
    const rest = newest.filter(({ id }) => before === null || id < before);
    const part = rest.slice(0, limit);
    return [200, { notifications: part, next: rest.length > limit ? part.at(-1)!.id : null }];
  }
}
