import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

// It has no types of its own.
const { createExpressApp }: { createExpressApp(): RequestListener } = createRequire(
  import.meta.url,
)("stripe-stateful-mock");

export interface StatefulMock {
  /** host:port */
  readonly address: string;
  stop(): void;
}

/** Starts somebody else's double of Stripe, which keeps charges, refunds and idempotency keys. */
export async function startStatefulMock(): Promise<StatefulMock> {
  const server = createServer(createExpressApp());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on a port has an address with a port.
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
