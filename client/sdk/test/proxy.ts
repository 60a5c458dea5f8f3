/** A network between devices and the hub that can be cut, lose what the hub answers, or carry little. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

export class Proxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #losing: { left: number; staysDown: boolean; lost: () => void } | null = null;
  #isDown = false;
  #carried = { bytes: Infinity, over: "" };

  static async to(port: number): Promise<Proxy> {
    const proxy = new Proxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(port: number) {
    this.#server = createServer((device) => {
      if (this.#isDown) return device.destroy();
      const hub = connect(port, "127.0.0.1");
      const both = [device, hub] as const;
      for (const socket of both) {
        this.#open.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#open.delete(socket);
          for (const each of both) each.destroy();
        });
      }
      let left: number | undefined;
      device.on("data", (bytes) => {
        left ??= bytes.includes(this.#carried.over) ? this.#carried.bytes : Infinity;
        hub.write(bytes.subarray(0, left));
        left -= bytes.length;
        if (left < 0) device.destroy();
      });
      hub.on("data", (bytes) => this.#pass(bytes, device));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection. Later ones get through, unless it is down. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Lets nothing through any more. */
  goDown(): void {
    this.#isDown = true;
    this.cut();
  }

  comeUp(): void {
    this.#isDown = false;
  }

  /**
   * After `bytes` more bytes from the hub the next ones are lost and everything is cut, once or
   * for good. Resolves when that has happened.
   */
  loseAfter(bytes: number, { staysDown = false } = {}): Promise<void> {
    return new Promise((lost) => (this.#losing = { left: bytes, staysDown, lost }));
  }

  /** Each new connection breaks after so many bytes from the device; or only those of WebSockets. */
  carry(bytes: number, over: "everything" | "sockets" = "everything"): void {
    this.#carried = { bytes, over: over === "sockets" ? "Upgrade: websocket" : "" };
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #pass(bytes: Buffer, device: Socket): void {
    if (this.#losing && (this.#losing.left -= bytes.length) < 0) {
      const { lost, staysDown } = this.#losing;
      this.#isDown = staysDown;
      this.#losing = null;
      this.cut();
      return lost();
    }
    device.write(bytes);
  }
}
