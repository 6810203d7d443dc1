import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CachedOutcomeSchema,
  type Fingerprint as FingerprintMessage,
} from "../../gen/payonce/idempotency/v1/outcome_pb.js";
import { type Fingerprint, sameRequest } from "../../idempotency/fingerprint.js";
import { decodeOutcome, encodeOutcome, type Outcome } from "../../idempotency/outcome.js";
import { type Scope, scopeHash } from "../../idempotency/scope.js";

/** Copies of outcomes that prove whose they are. */
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
  function checksum(scope: Scope, fingerprint: FingerprintMessage, outcome: Uint8Array): Buffer {
    const hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
    const parts = [
      Buffer.from(namespace()),
      scopeHash(scope),
      Buffer.from(String(fingerprint.version)),
      fingerprint.canonicalSha256,
      fingerprint.rawSha256,
      outcome,
    ];
    for (const part of parts) {
      // Each part follows its length, so that no byte can move between parts.
      hash.update(`${part.length}:`).update(part);
    }
    return hash.digest();
  }

  return {
    encode(scope, { version, canonical, raw }, outcome) {
      const copy = create(CachedOutcomeSchema, {
        outcome: encodeOutcome(outcome),
        fingerprint: { version, canonicalSha256: canonical, rawSha256: raw },
      });
      if (copy.fingerprint !== undefined) {
        copy.checksum = checksum(scope, copy.fingerprint, copy.outcome);
      }
      return toBinary(CachedOutcomeSchema, copy);
    },

    verify(scope, fingerprint, copy) {
      try {
        const cached = fromBinary(CachedOutcomeSchema, copy);
        if (cached.fingerprint === undefined) {
          return undefined;
        }
        const expected = checksum(scope, cached.fingerprint, cached.outcome);
        const { version, canonicalSha256: canonical, rawSha256: raw } = cached.fingerprint;
        const proven =
          cached.checksum.length === expected.length && timingSafeEqual(cached.checksum, expected);
        return proven && sameRequest({ version, canonical, raw }, fingerprint)
          ? decodeOutcome(cached.outcome)
          : undefined;
      } catch {
        return undefined; // not a copy at all
      }
    },
  };
}
