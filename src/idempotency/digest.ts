import { createHash } from "node:crypto";

/**
 * SHA-256 of a list of parts. Each follows its length, so that no two lists
 * hash the same bytes. The first one names what the digest is for.
 */
export function digest(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part, "utf8") : part;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest();
}
