import crypto from "node:crypto";

/**
 * SHA-256 of a list of parts. Each follows its length, so that no two lists
 * hash the same bytes. The first one names what the digest is for.
 */
export function digest(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.from(sha256(joined(parts)), "binary");
}

/**
 * All parts in one buffer, each after its length: hashing that takes half as
 * long as part by part. The next call may write over it.
 */
export function joined(parts: readonly (string | Uint8Array)[]): Buffer {
  const size = parts.reduce((total, part) => total + LENGTH_BYTES + byteLengthOf(part), 0);
  const bytes = size > SCRATCH.length ? Buffer.allocUnsafe(size) : SCRATCH.subarray(0, size);
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
  return bytes;
}

const LENGTH_BYTES = 4;

/** Most lists fit; a buffer of its own for each would pin the memory around hashes that are kept. */
const SCRATCH = Buffer.alloc(4_096);

function byteLengthOf(part: string | Uint8Array): number {
  return typeof part === "string" ? Buffer.byteLength(part, "utf8") : part.length;
}

/**
 * SHA-256 as a string of bytes: Node makes a buffer of its own outside of the
 * heap for one that is asked for as such, which takes longer than the hash.
 * `crypto.hash` makes no object for each hash either; Node has it since 20.12.
 */
export const sha256: (bytes: Buffer) => string =
  typeof crypto.hash === "function"
    ? (bytes) => crypto.hash("sha256", bytes, "binary")
    : (bytes) => crypto.createHash("sha256").update(bytes).digest("binary");
