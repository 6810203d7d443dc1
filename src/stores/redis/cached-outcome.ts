import { createHmac, timingSafeEqual } from "node:crypto";
import { decodeOutcome, encodeOutcome, type Outcome } from "../../idempotency/port/outcome.js";
import { type Scope, scopeHash } from "../../idempotency/port/scope.js";
import { DECIMAL, joined, sha256 } from "../../idempotency/request/digest.js";
import { type Fingerprint, sameRequest } from "../../idempotency/request/fingerprint.js";
import { decodeFields, encodeFields } from "../../idempotency/request/wire.js";

/** Copies of outcomes that prove whose they are; each is a `CachedOutcome`. */
export interface CachedOutcomes {
  encode(scope: Scope, fingerprint: Fingerprint, outcome: Outcome): Uint8Array;
  /**
   * The outcome, if the bytes are this deployment's copy of the answer to this
   * very request. Anything else is a miss: a cache may hold whatever it likes.
   */
  verify(scope: Scope, fingerprint: Fingerprint, copy: Uint8Array): Outcome | undefined;
}

export function createCachedOutcomes({
  namespace,
  secret,
}: {
  /** Names the deployment and its generation. */
  readonly namespace: () => string;
  /** Makes the checksum an HMAC, for a cache that others can write to. */
  readonly secret?: string;
}): CachedOutcomes {
  function checksum(scope: Scope, fingerprint: Fingerprint, outcome: Uint8Array): Uint8Array {
    const { version, canonical, raw } = fingerprint;
    const parts = [namespace(), scopeHash(scope), String(version), canonical, raw, outcome];
    const bytes = joined(parts, DECIMAL);
    return secret === undefined
      ? Buffer.from(sha256(bytes), "binary")
      : createHmac("sha256", secret).update(bytes).digest();
  }

  return {
    encode(scope, fingerprint, outcome) {
      const bytes = encodeOutcome(outcome);
      const { version, canonical, raw } = fingerprint;
      const request = encodeFields([
        [1, version],
        [2, canonical],
        [3, raw],
      ]);
      return encodeFields([
        [1, bytes],
        [2, request],
        [3, checksum(scope, fingerprint, bytes)],
      ]);
    },

    verify(scope, fingerprint, copy) {
      try {
        const { outcome, answered, proof } = decodeCopy(copy);
        const expected = checksum(scope, answered, outcome);
        const proven = proof.length === expected.length && timingSafeEqual(proof, expected);
        return proven && sameRequest(answered, fingerprint) ? decodeOutcome(outcome) : undefined;
      } catch {
        return undefined; // not a copy at all
      }
    },
  };
}

/** @throws if the bytes are not a copy. */
function decodeCopy(copy: Uint8Array): {
  readonly outcome: Uint8Array;
  readonly answered: Fingerprint;
  readonly proof: Uint8Array;
} {
  const [, outcome, fingerprint, proof] = decodeFields(copy);
  const [, version, canonical, raw] = decodeFields(bytesOf(fingerprint));
  return {
    outcome: bytesOf(outcome),
    answered: { version: Number(version), canonical: bytesOf(canonical), raw: bytesOf(raw) },
    proof: bytesOf(proof),
  };
}

function bytesOf(value: number | Uint8Array | undefined): Uint8Array {
  if (value instanceof Uint8Array) {
    return value;
  }
  throw new TypeError("a field is missing, or of another type");
}
