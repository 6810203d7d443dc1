import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import { CANONICAL_FORM_VERSION, canonicalBytes } from "./canonical.js";
import { digest } from "./digest.js";

/** The hashes by which a request is recognised. */
export interface Fingerprint {
  /** The version of the canonical form. */
  readonly version: number;
  /** SHA-256 of the operation and of the request in canonical form. */
  readonly canonical: Uint8Array;
  /** SHA-256 of the operation and of the request's bytes as they came. */
  readonly raw: Uint8Array;
}

/** A request in both of the forms that its fingerprint needs. */
export interface FingerprintInput<Desc extends DescMessage> {
  /** The operation in the scope of the request's key. */
  readonly operation: string;
  readonly desc: Desc;
  readonly message: MessageShape<Desc>;
  /** The bytes that `message` was decoded from. */
  readonly bytes: Uint8Array;
  /** The field of `message` that may carry the key. It does not count. */
  readonly keyField?: DescField | undefined;
}

/**
 * Makes the fingerprint of a request.
 * @throws RangeError if the request nests messages more than 100 deep.
 */
export function fingerprintOf<Desc extends DescMessage>({
  operation,
  desc,
  message,
  bytes,
  keyField,
}: FingerprintInput<Desc>): Fingerprint {
  const canonical = canonicalBytes(desc, message, keyField);
  return {
    version: CANONICAL_FORM_VERSION,
    canonical: digest("payonce.fingerprint.canonical.v1", operation, canonical),
    raw: digest("payonce.fingerprint.raw.v1", operation, bytes),
  };
}

/**
 * Returns true if two fingerprints are of the same request. Canonical forms compare
 * only within one version, and builds whose schemas differ may make different ones;
 * so equal bytes are the same request whatever else differs.
 */
export function sameRequest(a: Fingerprint, b: Fingerprint): boolean {
  return (
    equalBytes(a.raw, b.raw) || (a.version === b.version && equalBytes(a.canonical, b.canonical))
  );
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
