import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export type Direction = "to server" | "to client";

/** A stretch of network between clients and a server on 127.0.0.1, for a test to break. */
export interface TcpProxy {
  readonly port: number;
  /** Where connections made from now on lead. */
  connectTo(serverPort: number): void;
  /** Keeps back all that goes this way: connections stay open and nothing arrives. Until `heal`. */
  hold(direction: Direction): void;
  /** Makes everything arrive this much later, each way. Until `heal`. Milliseconds. */
  delay(delayMs: number): void;
  /** Breaks all connections, and each new one. Until `heal`. */
  cut(): void;
  /** Makes the network whole: what was held back arrives. */
  heal(): void;
  /**
   * Breaks the connection of the next request that holds these bytes, once the
   * server has answered it: the request was carried out and the client never
   * learns. Resolves when that has happened.
   */
  loseReplyTo(request: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const held = new Set<Direction>();
  let targetPort = serverPort;
  let delayMs = 0;
  let isCut = false;
  let losing: { readonly request: Buffer; readonly lost: () => void } | undefined;
  let whole = newWholeness();

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = createConnection({ port: targetPort, host: "127.0.0.1", noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {}); // its close follows
      socket.on("close", () => sockets.delete(socket));
    }
    if (isCut) {
      destroyAll();
      return;
    }
    let reportLoss: (() => void) | undefined;
    forward("to server", client, upstream, (bytes) => {
      if (losing !== undefined && bytes.includes(losing.request)) {
        reportLoss = losing.lost;
        losing = undefined;
      }
      upstream.write(bytes);
    });
    forward("to client", upstream, client, (bytes) => {
      if (reportLoss === undefined) {
        client.write(bytes);
      } else if (!client.destroyed) {
        client.resetAndDestroy();
        reportLoss();
      }
    });
  });

  /** Passes on what one socket says and, after that, that it has ended. */
  function forward(
    direction: Direction,
    from: Socket,
    to: Socket,
    pass: (bytes: Buffer) => void,
  ): void {
    let sent = Promise.resolve();
    const inOrder = (send: () => void) => {
      const dueAtMs = performance.now() + delayMs;
      sent = sent.then(async () => {
        if (performance.now() < dueAtMs) {
          await sleep(dueAtMs - performance.now());
        }
        while (held.has(direction)) {
          await whole.again;
        }
        send();
      });
    };
    from.on("data", (bytes) => inOrder(() => pass(bytes)));
    from.on("close", () => inOrder(() => to.destroy()));
  }

  function destroyAll(): void {
    for (const socket of sockets) {
      socket.destroy();
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("the proxy has no port");
  }

  function heal(): void {
    held.clear();
    delayMs = 0;
    isCut = false;
    whole.heal();
    whole = newWholeness();
  }

  return {
    port: address.port,
    connectTo(port) {
      targetPort = port;
    },
    hold: (direction) => void held.add(direction),
    delay(durationMs) {
      delayMs = durationMs;
    },
    cut() {
      isCut = true;
      destroyAll();
    },
    heal,
    loseReplyTo: (request) =>
      new Promise((lost) => {
        losing = { request: Buffer.from(request), lost };
      }),
    async close() {
      heal();
      server.close();
      destroyAll();
      await once(server, "close");
    },
  };
}

function newWholeness(): { readonly again: Promise<void>; heal(): void } {
  let heal = () => {};
  const again = new Promise<void>((resolve) => {
    heal = resolve;
  });
  return { again, heal: () => heal() };
}
