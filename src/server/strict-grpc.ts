import type { IncomingHttpHeaders } from "node:http2";
import { KEY_METADATA } from "../idempotency/request/key.js";

// These are the rules of gRPC over HTTP/2 for a request that grpc-js does not look at
// (PROTOCOL-HTTP2.md of gRPC, "Requests"). A peer that breaks the rules is no
// gRPC client, or there is a proxy on the way that rewrites calls.

const TIMEOUT = /^\d{1,8}[HMSmun]$/;

/** The longest timeout that is passed on: nobody waits longer. grpc-js counts up to 24 days, and ends a call with a longer one at once. */
const LONGEST_TIMEOUT = "24H";
const LONGEST_TIMEOUT_SECONDS = 24 * 3_600;
const UNIT_SECONDS: Readonly<Record<string, number>> = { H: 3_600, M: 60, S: 1 };

/** The characters of metadata: printable ASCII. */
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Describes the problem with the headers of a call; undefined if there is none. */
export function headersProblem(headers: IncomingHttpHeaders): string | undefined {
  if (headers[":method"] !== "POST") {
    return "a call is a POST";
  }
  if (headers.te !== "trailers") {
    return "a call has te: trailers";
  }
  const timeout = headers["grpc-timeout"];
  if (timeout !== undefined && !TIMEOUT.test(String(timeout))) {
    return "grpc-timeout accepts 1 to 8 digits and one of H, M, S, m, u, n";
  }
  return undefined;
}

/** Returns the headers in a form that grpc-js accepts. */
export function readableHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const readable = withoutUnprintable(headers);
  const timeout = String(readable["grpc-timeout"] ?? "");
  const seconds = Number.parseInt(timeout, 10) * (UNIT_SECONDS[timeout.slice(-1)] ?? 0);
  return seconds > LONGEST_TIMEOUT_SECONDS
    ? { ...readable, "grpc-timeout": LONGEST_TIMEOUT }
    : readable;
}

/**
 * The same headers without values that metadata cannot have: grpc-js would
 * print each whole, and then drop it. Of a key an empty one is left, which is
 * refused as not valid, where none would be missing.
 */
function withoutUnprintable(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const broken = Object.keys(headers).filter(
    (name) => !name.endsWith("-bin") && !PRINTABLE.test(String(headers[name])),
  );
  if (broken.length === 0) {
    return headers;
  }
  const kept = Object.entries(headers).filter(([name]) => !broken.includes(name));
  return {
    ...Object.fromEntries(kept),
    ...(broken.includes(KEY_METADATA) && { [KEY_METADATA]: "" }),
  };
}

/** A flag and four bytes of length stand before each message. */
const PREFIX_BYTES = 5;

/**
 * Looks at the flags before the messages of a call, chunk by chunk as they
 * arrive. The function tells what is wrong with one; undefined if nothing is.
 */
export function createFlagCheck(
  headers: IncomingHttpHeaders,
): (chunk: Uint8Array) => string | undefined {
  const encoding = String(headers["grpc-encoding"] ?? "identity");
  let prefixBytes = 0;
  let length = 0;
  let remaining = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (remaining > 0) {
        const skipped = Math.min(remaining, chunk.length - at);
        remaining -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at] ?? 0;
      at += 1;
      if (prefixBytes === 0) {
        const problem = flagProblem(byte, encoding);
        if (problem !== undefined) {
          return problem;
        }
        length = 0;
      } else {
        length = length * 256 + byte;
      }
      prefixBytes += 1;
      if (prefixBytes === PREFIX_BYTES) {
        prefixBytes = 0;
        remaining = length;
      }
    }
    return undefined;
  };
}

function flagProblem(flag: number, encoding: string): string | undefined {
  if (flag > 1) {
    return "the flag before a message is 0 or 1";
  }
  return flag === 1 && encoding === "identity"
    ? "a compressed message needs the grpc-encoding that it is compressed with"
    : undefined;
}
