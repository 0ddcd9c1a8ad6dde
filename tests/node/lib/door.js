// A way to the server that can be shut, or go silent as after a lost route, while others go on using the server.
import { once } from "node:events";
import { createConnection, createServer } from "node:net";

export class Door {
  /** Leads from a free port of loopback to `port`. */
  static async open(port) {
    const door = new Door(Number(port));
    await door.reopen(0);
    return door;
  }

  constructor(target) {
    this.target = target;
    this.silent = false;
    this.sockets = new Set();
    /** Everything that went to the server, as text. */
    this.sent = "";
  }

  async reopen(port = this.port) {
    this.server = createServer((client) => this.#lead(client));
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
  }

  /** Ends what goes through, and refuses whoever comes. */
  async shut() {
    const closed = once(this.server, "close");
    this.server.close();
    for (const socket of this.sockets) {
      socket.destroy();
    }
    await closed;
  }

  close() {
    return this.server.listening ? this.shut() : undefined;
  }

  #lead(client) {
    const server = createConnection(this.target, "127.0.0.1");
    this.#pass(client, server, (bytes) => (this.sent += bytes.toString("latin1")));
    this.#pass(server, client, () => {});
  }

  #pass(from, to, look) {
    this.sockets.add(from);
    from.on("data", (bytes) => {
      if (!this.silent) {
        look(bytes);
        to.write(bytes);
      }
    });
    from.on("error", () => {}); // "close" follows
    from.on("close", () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
