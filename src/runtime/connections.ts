import type { Socket } from "node:net";

/**
 * The open connections of a server over TCP: also those that have sent nothing
 * yet, are in the middle of a TLS handshake, or belong to a peer that has been
 * stopped. No framework's own list of its connections has them all.
 */
export interface Connections {
  /** Adds a connection, from a server's event `connection`. False if it was one too many, and was closed. */
  readonly add: (socket: Socket) => boolean;
  /** This peer has begun a request; before that its connection is closed after `silentMs`. */
  heardFrom(peer: Peer): void;
  count(): number;
  /** Closes all of them, whatever their peers do. */
  destroyAll(): void;
}

export interface ConnectionLimits {
  readonly max: number;
  /** The most connections that one address may have. */
  readonly maxPerPeer: number;
  /** The longest time for which a connection may be open before its first request. Milliseconds. Without it, for good. */
  readonly silentMs?: number;
}

/** The address of a peer. A socket has it, and so has the TLS connection over it. */
export interface Peer {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

const UNLIMITED: ConnectionLimits = {
  max: Number.POSITIVE_INFINITY,
  maxPerPeer: Number.POSITIVE_INFINITY,
};

export function createConnections({
  max,
  maxPerPeer,
  silentMs,
}: ConnectionLimits = UNLIMITED): Connections {
  const open = new Set<Socket>();
  const perPeer = new Map<string, number>();
  const silent = new Map<string, NodeJS.Timeout>();

  function add(socket: Socket): boolean {
    const address = socket.remoteAddress ?? "";
    const fromPeer = (perPeer.get(address) ?? 0) + 1;
    if (open.size >= max || fromPeer > maxPerPeer) {
      socket.destroy();
      return false;
    }
    open.add(socket);
    perPeer.set(address, fromPeer);
    const name = nameOf(socket);
    if (silentMs !== undefined) {
      const timer = setTimeout(() => socket.destroy(), silentMs);
      silent.set(name, timer.unref());
    }
    socket.once("close", () => {
      open.delete(socket);
      const left = (perPeer.get(address) ?? 1) - 1;
      if (left === 0) {
        perPeer.delete(address);
      } else {
        perPeer.set(address, left);
      }
      noLongerSilent(name);
    });
    return true;
  }

  function noLongerSilent(name: string): void {
    clearTimeout(silent.get(name));
    silent.delete(name);
  }

  return {
    add,
    heardFrom: (peer) => noLongerSilent(nameOf(peer)),
    count: () => open.size,
    destroyAll() {
      for (const socket of open) {
        socket.destroy();
      }
    },
  };
}

function nameOf({ remoteAddress, remotePort }: Peer): string {
  return `${remoteAddress}|${remotePort}`;
}
