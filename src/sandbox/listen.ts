import type { AddressInfo, Server } from "node:net";

/** An address to listen on. Port 0 takes a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** The ways to talk to the sandbox: its own over gRPC, and Stripe's. */
export type FaceName = "grpc" | "stripe";

/** The address cannot be bound. */
export class ListenError extends Error {
  override readonly name = "ListenError";

  constructor(
    readonly face: FaceName,
    address: string,
    cause: Error,
  ) {
    super(`cannot listen on ${address}: ${cause.message}`, { cause });
  }
}

/** Resolves with host:port as it was bound. @throws ListenError */
export async function bind(server: Server, listen: ListenAddress, face: FaceName): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) =>
      reject(new ListenError(face, formatListen(listen, listen.port), error));
    server.once("error", refuse);
    server.listen(listen.port, listen.host, () => {
      server.off("error", refuse);
      resolve();
    });
  });
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo;
  return formatListen(listen, port);
}

function formatListen({ host }: ListenAddress, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
