import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Address } from "./config.js";

/** TCP servers that share one port. */
export interface Listening {
  readonly port: number;
  /** Accepts no connection any more. Resolves once all that are open have ended. */
  close(): Promise<unknown>;
}

/**
 * Listens on every address that the host has, as gRPC servers do: of `localhost`
 * a client may try either family. Port 0 takes a free one.
 * @throws if none of them can be bound.
 */
export async function listen(
  { host, port: wanted }: Address,
  onConnection: (socket: Socket) => void,
): Promise<Listening> {
  const servers: Server[] = [];
  let port = wanted;
  let failure: unknown;
  for (const { address } of await lookup(host, { all: true })) {
    try {
      const server = createServer(onConnection).listen(port, address);
      await once(server, "listening");
      servers.push(server);
      port = (server.address() as AddressInfo).port; // a TCP server's address is never a string
    } catch (error) {
      failure ??= error;
    }
  }
  if (servers.length === 0) {
    throw failure;
  }
  return {
    port,
    close: () =>
      Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))),
  };
}
