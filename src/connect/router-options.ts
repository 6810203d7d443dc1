import type { ConnectRouterOptions } from "@connectrpc/connect";

/** The limits of gRPC servers by default, so that no request depends on its protocol. */
const REQUEST_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * No client waits for longer than a day, and Node's timers cannot count past
 * 2^31 - 1 ms (25 days): a deadline beyond would be over at once.
 */
const LONGEST_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Options that a router should be given beside its routes. The size of a response has
 * no limit: an answer that was stored must also be sent.
 */
export const ROUTER_OPTIONS = {
  // A field that the schema does not have is a mistake, perhaps in an amount.
  jsonOptions: { ignoreUnknownFields: false },
  readMaxBytes: REQUEST_LIMIT_BYTES,
  maxTimeoutMs: LONGEST_TIMEOUT_MS,
} as const satisfies ConnectRouterOptions;
