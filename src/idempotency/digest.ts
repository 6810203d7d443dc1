import { createHash } from "node:crypto";

/**
 * SHA-256 of a list of parts. Each follows its length, so that no two lists
 * hash the same bytes. The first one names what the digest is for.
 */
export function digest(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  // Written into one buffer and hashed by one call, which takes half as long as a call for each.
  const bytes = Buffer.allocUnsafe(
    parts.reduce((size, part) => size + LENGTH_BYTES + byteLengthOf(part), 0),
  );
  let offset = 0;
  for (const part of parts) {
    offset = bytes.writeUInt32BE(byteLengthOf(part), offset);
    if (typeof part === "string") {
      offset += bytes.write(part, offset, "utf8");
    } else {
      bytes.set(part, offset);
      offset += part.length;
    }
  }
  return createHash("sha256").update(bytes).digest();
}

const LENGTH_BYTES = 4;

function byteLengthOf(part: string | Uint8Array): number {
  return typeof part === "string" ? Buffer.byteLength(part, "utf8") : part.length;
}
