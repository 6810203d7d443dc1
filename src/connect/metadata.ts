import { encodeBinaryHeader } from "@connectrpc/connect";
import type { MetadataEntry } from "../idempotency/port/outcome.js";

const BINARY_SUFFIX = "-bin";

/**
 * Headers as gRPC metadata, so that any transport can repeat them. Metadata
 * takes printable ASCII only: other characters are percent-encoded, as gRPC
 * does in its status messages.
 */
export function toEntries(headers: Headers): MetadataEntry[] {
  return [...headers].flatMap(([name, value]): MetadataEntry[] =>
    name.endsWith(BINARY_SUFFIX)
      ? value.split(",").map((part) => [name, Buffer.from(part, "base64")])
      : [[name, value.replace(/[^\x20-\x7e]+/g, encodeURIComponent)]],
  );
}

export function appendEntries(headers: Headers, entries: readonly MetadataEntry[]): void {
  for (const [name, value] of entries) {
    headers.append(name, typeof value === "string" ? value : encodeBinaryHeader(value));
  }
}
