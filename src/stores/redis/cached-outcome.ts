import { createHmac, timingSafeEqual } from "node:crypto";
import { digest, joined } from "../../idempotency/digest.js";
import { type Fingerprint, sameRequest } from "../../idempotency/fingerprint.js";
import { decodeOutcome, encodeOutcome, type Outcome } from "../../idempotency/outcome.js";
import { type Scope, scopeHash } from "../../idempotency/scope.js";
import { decodeFields, encodeFields } from "../../idempotency/wire.js";

/** Copies of outcomes that prove whose they are; each is a `CachedOutcome`. */
export interface CachedOutcomes {
  encode(scope: Scope, fingerprint: Fingerprint, outcome: Outcome): Uint8Array;
  /**
   * The outcome, if the bytes are this deployment's copy of the answer to this
   * very request. Anything else is a miss: a cache may hold whatever it likes.
   */
  verify(scope: Scope, fingerprint: Fingerprint, copy: Uint8Array): Outcome | undefined;
}

/** A copy ends with its checksum: a field of so many bytes, the last of them the checksum itself. */
const CHECKSUM_BYTES = 32;
const CHECKSUM_FIELD_BYTES = 2 + CHECKSUM_BYTES;

export function createCachedOutcomes({
  namespace,
  secret,
}: {
  /** Names the deployment and its generation. */
  readonly namespace: () => string;
  /** Makes the checksum an HMAC, for a cache that others can write to. */
  readonly secret?: string;
}): CachedOutcomes {
  /** Of the fields before it, as they are encoded, and of whose they are. */
  function checksum(scope: Scope, fields: Uint8Array): Uint8Array {
    const parts = ["payonce.copy.v1", namespace(), scopeHash(scope), fields];
    return secret === undefined
      ? digest(...parts)
      : createHmac("sha256", secret).update(joined(parts)).digest();
  }

  return {
    encode(scope, { version, canonical, raw }, outcome) {
      const fingerprint = encodeFields([
        [1, version],
        [2, canonical],
        [3, raw],
      ]);
      const fields = encodeFields([
        [1, encodeOutcome(outcome)],
        [2, fingerprint],
      ]);
      // The encodings of fields make up the message's one after another.
      return Buffer.concat([fields, encodeFields([[3, checksum(scope, fields)]])]);
    },

    verify(scope, fingerprint, copy) {
      const fields = copy.subarray(0, -CHECKSUM_FIELD_BYTES);
      const proof = copy.subarray(-CHECKSUM_BYTES);
      if (proof.length !== CHECKSUM_BYTES || !timingSafeEqual(proof, checksum(scope, fields))) {
        return undefined;
      }
      try {
        const { outcome, answered } = decodeCopy(fields);
        return sameRequest(answered, fingerprint) ? decodeOutcome(outcome) : undefined;
      } catch {
        return undefined; // whoever wrote it knew the checksum, but not the message
      }
    },
  };
}

/** @throws if the fields are not those of a copy. */
function decodeCopy(fields: Uint8Array): {
  readonly outcome: Uint8Array;
  readonly answered: Fingerprint;
} {
  const [, outcome, fingerprint] = decodeFields(fields);
  const [, version, canonical, raw] = decodeFields(bytesOf(fingerprint));
  return {
    outcome: bytesOf(outcome),
    answered: { version: Number(version), canonical: bytesOf(canonical), raw: bytesOf(raw) },
  };
}

function bytesOf(value: number | Uint8Array | undefined): Uint8Array {
  if (value instanceof Uint8Array) {
    return value;
  }
  throw new TypeError("a field is missing, or of another type");
}
