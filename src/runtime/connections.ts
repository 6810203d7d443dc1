import type { Socket } from "node:net";

/**
 * The open connections of a server over TCP: also those that have sent nothing
 * yet, are in the middle of a TLS handshake, or belong to a peer that has been
 * stopped. No framework's own list of its connections has them all.
 */
export interface Connections {
  /** For a server's event `connection`. */
  readonly add: (socket: Socket) => void;
  count(): number;
  /** Closes all of them, whatever their peers do. */
  destroyAll(): void;
}

export function createConnections(): Connections {
  const open = new Set<Socket>();
  return {
    add(socket) {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
    },
    count: () => open.size,
    destroyAll() {
      for (const socket of open) {
        socket.destroy();
      }
    },
  };
}
