import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ATTACKER_ADDRESS } from "./settings.js";

export interface RawConnection {
  readonly socket: Socket;
  /** All that has come so far. */
  received(): Buffer;
}

/** A TCP connection, on which a case says whatever it wants. */
export async function openTcp(address: string): Promise<RawConnection> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect({
    host: hostname,
    port: Number(port),
    localAddress: ATTACKER_ADDRESS,
  });
  socket.on("error", () => {}); // it may be cut off
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return { socket, received: () => Buffer.concat(parts) };
}

/** Waits until the other side has closed, for a while; then closes it. */
export async function closeAfter({ socket }: RawConnection, waitMs: number): Promise<boolean> {
  const closed = socket.destroyed ? Promise.resolve() : once(socket, "close");
  await Promise.race([closed, sleep(waitMs)]);
  const isClosed = socket.destroyed;
  socket.destroy();
  return isClosed;
}
