/** A browser's side of Web Push (RFC 8291), without a browser: an address, and keys that read what comes there. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

type Bytes = Uint8Array<ArrayBuffer>;

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const text = (words: string) => new TextEncoder().encode(words) as Bytes;
const joined = (...parts: Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts));
const base64url = (bytes: Bytes) => Buffer.from(bytes).toString("base64url");

/** What reads messages. */
export interface Keys {
  privateKey: CryptoKey;
  /** 65 bytes. */
  publicKey: Bytes;
  /** 16 bytes. */
  auth: Bytes;
}

export async function newKeys(): Promise<Keys> {
  const pair = (await crypto.subtle.generateKey(CURVE, true, ["deriveBits"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return {
    privateKey: pair.privateKey,
    publicKey,
    auth: crypto.getRandomValues(new Uint8Array(16)),
  };
}

/** As a browser says it. */
export const subscriptionOf = (endpoint: string, { publicKey, auth }: Keys) => ({
  endpoint,
  keys: { p256dh: base64url(publicKey), auth: base64url(auth) },
});

/** Reads a message of one record. Errors: what is not for these keys. */
export async function read(message: Bytes, { privateKey, publicKey, auth }: Keys): Promise<string> {
  const salt = message.slice(0, 16);
  const senderEnd = 21 + message[20]!;
  const sender = message.slice(21, senderEnd);
  const theirs = await crypto.subtle.importKey("raw", sender, CURVE, false, []);
  const agreed = { name: "ECDH", public: theirs };
  const shared = new Uint8Array(await crypto.subtle.deriveBits(agreed, privateKey, 256));
  const about = joined(text("WebPush: info\0"), publicKey, sender);
  const secret = await derived(shared, auth, about, 32);
  const key = await derived(secret, salt, text("Content-Encoding: aes128gcm\0"), 16);
  const iv = await derived(secret, salt, text("Content-Encoding: nonce\0"), 12);
  const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const record = message.slice(senderEnd);
  const padded = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aes, record));
  // The last byte that is no zero ends it.
  let end = padded.length - 1;
  while (padded[end] === 0) end--;
  if (padded[end] !== 2) throw new Error("the record is not the last");
  return new TextDecoder().decode(padded.slice(0, end));
}

async function derived(from: Bytes, salt: Bytes, info: Bytes, length: number): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", from, "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt, info };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, length * 8));
}

/** A push service of one browser, which takes all that comes. */
export class Receiver {
  readonly #server: Server;
  readonly #messages: Bytes[] = [];

  private constructor(readonly keys: Keys) {
    this.#server = createServer(async (request, response) => {
      this.#messages.push(new Uint8Array(await buffer(request)));
      response.writeHead(201).end();
    });
  }

  static async start(): Promise<Receiver> {
    const made = new Receiver(await newKeys());
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get subscription() {
    const { port } = this.#server.address() as AddressInfo;
    return subscriptionOf(`http://127.0.0.1:${port}/one`, this.keys);
  }

  /** What has come, as texts. */
  messages(): Promise<string[]> {
    return Promise.all(this.#messages.map((message) => read(message, this.keys)));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
