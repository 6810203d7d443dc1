import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { compiledEntry } from "../service/compile.js";

/** The first bytes of an HTTP/2 client, and its empty SETTINGS (RFC 9113, section 3.4). */
export const HTTP2_PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

export interface SilentPeer {
  end(): void;
}

/** Connects, sends these bytes, and then keeps its side open whatever it receives. */
export async function connectSilently(
  address: string,
  bytes: string | Uint8Array = "",
): Promise<SilentPeer> {
  const socket = connectTo(address);
  socket.on("error", () => {}); // it may be cut off
  await once(socket, "connect");
  if (bytes.length > 0) {
    socket.write(bytes);
  }
  socket.resume();
  return { end: () => socket.destroy() };
}

function connectTo(address: string): Socket {
  const { hostname, port } = new URL(`http://${address}`);
  return connect({ host: hostname, port: Number(port), allowHalfOpen: true });
}

/** Whether the address accepts no connection. */
export async function isRefused(address: string): Promise<boolean> {
  const socket = connectTo(address);
  try {
    await once(socket, "connect");
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

const STOPPED_CLIENT = fileURLToPath(new URL("../entries/stopped-client.ts", import.meta.url));

/** A gRPC client in a process of its own, which is stopped (SIGSTOP) once it has sent its call. */
export async function startStoppedClient(
  address: string,
  path: string,
  message: Uint8Array = new Uint8Array(),
): Promise<SilentPeer> {
  const entry = await compiledEntry(STOPPED_CLIENT);
  const args = [entry, address, path, Buffer.from(message).toString("base64")];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.stdout !== null) {
    await once(createInterface(child.stdout), "line");
  }
  child.kill("SIGSTOP");
  return { end: () => child.kill("SIGKILL") };
}
