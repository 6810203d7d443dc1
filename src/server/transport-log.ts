import type { Logger } from "./log.js";
import { createPace } from "./pace.js";

type Level = "debug" | "info" | "warn";

/** The least time between two lines of one level. Milliseconds. */
const INTERVAL_MS = 1_000;

/**
 * The lines that grpc-js is known to write, up to where their text begins to depend on a peer,
 * a header or a setting. A header's value can be a secret, and is never written.
 */
const KNOWN: readonly (readonly [beginning: string, message: string])[] = [
  [
    "Failed to add metadata entry ",
    "a header with characters that metadata cannot have was dropped",
  ],
  ["Failed to createSecureContext ", "TLS could not be set up"],
  ["Failed to set secure context ", "TLS could not be set up"],
  ["Failed to connect to ", "a proxy could not be connected to"],
  ["Connection to ", "a server refuses pings that come so often"],
  ["Config parsing failed ", "a load balancer's configuration was not understood"],
  ["Invalid value provided for grpc.default_compression_algorithm ", "an unknown compression"],
];

const UNKNOWN = "the transport has something to say that could hold what a peer has sent";

/**
 * Makes writers, one a level, for what a transport would print by itself. They
 * write what kind of thing was said, never its words, and at most one line a
 * second and level, with the count of those left out since the last one.
 */
export function createTransportLog({
  log,
  now,
}: {
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}): (level: Level) => (...words: unknown[]) => void {
  return (level) => {
    const pace = createPace({ intervalMs: INTERVAL_MS, now });
    return (first) => {
      const omitted = pace();
      if (omitted !== undefined) {
        log[level]({ from: "grpc", ...(omitted > 0 && { omitted }) }, kindOf(first));
      }
    };
  };
}

function kindOf(said: unknown): string {
  const text = typeof said === "string" ? said : "";
  return KNOWN.find(([beginning]) => text.startsWith(beginning))?.[1] ?? UNKNOWN;
}
