import { rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

export interface ProxyOptions {
  /** The URL of the server. */
  readonly to: string;
  /** The port on 127.0.0.1, or the file of a socket, where it listens. */
  readonly at: number | string;
  /** Speaks TLS with its clients, as a Postgres does, with this certificate. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

export interface Proxy {
  /** The number of connections that it has had. */
  connections(): number;
  close(): Promise<void>;
}

/** A way to a Postgres that can begin whenever a test wants, over whatever it wants. */
export async function startProxy({ to, at, tls }: ProxyOptions): Promise<Proxy> {
  const { hostname, port } = new URL(to);
  const sockets = new Set<Socket>();
  let count = 0;
  const pipe = (client: Socket) => {
    const server = connect(Number(port || "5432"), hostname);
    sockets.add(server);
    client.on("error", () => server.destroy()).on("close", () => server.destroy());
    server.on("error", () => client.destroy()).on("close", () => client.destroy());
    client.pipe(server).pipe(client);
  };
  const proxy = createServer((socket) => {
    count += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    if (tls === undefined) {
      pipe(socket);
      return;
    }
    // The request for TLS has 8 bytes; the answer has one.
    socket.once("data", () => {
      socket.write("S");
      pipe(new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(tls) }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    proxy.once("error", reject);
    const ready = () => resolve();
    if (typeof at === "string") {
      proxy.listen(at, ready);
    } else {
      proxy.listen(at, "127.0.0.1", ready);
    }
  });
  return {
    connections: () => count,
    async close() {
      for (const socket of sockets) {
        socket.destroy();
      }
      await new Promise((resolve) => proxy.close(resolve));
      if (typeof at === "string") {
        await rm(at, { force: true });
      }
    },
  };
}
