import crypto from "node:crypto";

/**
 * SHA-256 of a list of parts. Each follows its length, so that no two lists
 * hash the same bytes. The first one names what the digest is for.
 */
export function digest(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return Buffer.from(sha256(joined(parts)), "binary");
}

/** The form in which the length of a part is written before it. */
export interface LengthPrefix {
  /** The longest that one can be. */
  readonly maxBytes: number;
  /** Returns where the part begins. */
  readonly write: (target: Buffer, length: number, offset: number) => number;
}

const FOUR_BYTES: LengthPrefix = {
  maxBytes: 4,
  write: (target, length, offset) => target.writeUInt32BE(length, offset),
};

/** Writes the length as text, with a colon after it, such as `32:`. The checksums of copies are made so. */
export const DECIMAL: LengthPrefix = {
  maxBytes: 16,
  write: (target, length, offset) => offset + target.write(`${length}:`, offset, "latin1"),
};

/**
 * All parts in one buffer, each after its length: hashing that takes half as
 * long as part by part. The next call may write over it.
 */
export function joined(
  parts: readonly (string | Uint8Array)[],
  prefix: LengthPrefix = FOUR_BYTES,
): Buffer {
  const size = parts.reduce((total, part) => total + prefix.maxBytes + byteLengthOf(part), 0);
  const bytes = size > SCRATCH.length ? Buffer.allocUnsafe(size) : SCRATCH;
  let offset = 0;
  for (const part of parts) {
    offset = prefix.write(bytes, byteLengthOf(part), offset);
    if (typeof part === "string") {
      offset += bytes.write(part, offset, "utf8");
    } else {
      bytes.set(part, offset);
      offset += part.length;
    }
  }
  return bytes.subarray(0, offset);
}

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
