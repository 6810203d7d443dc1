import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { CachedOutcomeSchema } from "../../gen/payonce/idempotency/v1/outcome_pb.js";
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
  function checksum(scope: Scope, fingerprint: Fingerprint, outcome: Uint8Array): Buffer {
    const hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
    const parts = [
      Buffer.from(namespace()),
      scopeHash(scope),
      Buffer.from(String(fingerprint.version)),
      fingerprint.canonical,
      fingerprint.raw,
      outcome,
    ];
    for (const part of parts) {
      // Each part follows its length, so that no byte can move between parts.
      hash.update(`${part.length}:`).update(part);
    }
    return hash.digest();
  }

  return {
    encode(scope, fingerprint, outcome) {
      const bytes = encodeOutcome(outcome);
      return encodeCopy(fingerprint, bytes, checksum(scope, fingerprint, bytes));
    },

    verify(scope, fingerprint, copy) {
      try {
        const cached = fromBinary(CachedOutcomeSchema, copy);
        if (cached.fingerprint === undefined) {
          return undefined;
        }
        const { version, canonicalSha256: canonical, rawSha256: raw } = cached.fingerprint;
        const answered = { version, canonical, raw };
        const expected = checksum(scope, answered, cached.outcome);
        const proven =
          cached.checksum.length === expected.length && timingSafeEqual(cached.checksum, expected);
        return proven && sameRequest(answered, fingerprint)
          ? decodeOutcome(cached.outcome)
          : undefined;
      } catch {
        return undefined; // not a copy at all
      }
    },
  };
}

/** More than the tags and lengths of all fields take. Bytes. */
const MAX_OVERHEAD_BYTES = 64;

/** A `CachedOutcome`, written by hand: reflection would take longer than all the rest. */
function encodeCopy(
  { version, canonical, raw }: Fingerprint,
  outcome: Uint8Array,
  checksum: Uint8Array,
): Uint8Array {
  const request = Buffer.allocUnsafe(canonical.length + raw.length + MAX_OVERHEAD_BYTES);
  request[0] = (1 << 3) | VARINT;
  let requestEnd = writeVarint(request, 1, version);
  requestEnd = writeBytes(request, requestEnd, { field: 2, value: canonical });
  requestEnd = writeBytes(request, requestEnd, { field: 3, value: raw });

  const size = outcome.length + requestEnd + checksum.length + MAX_OVERHEAD_BYTES;
  const copy = Buffer.allocUnsafe(size);
  let end = writeBytes(copy, 0, { field: 1, value: outcome });
  end = writeBytes(copy, end, { field: 2, value: request.subarray(0, requestEnd) });
  end = writeBytes(copy, end, { field: 3, value: checksum });
  return copy.subarray(0, end);
}

// Protobuf's wire format: https://protobuf.dev/programming-guides/encoding/

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Returns where the next field begins. */
function writeBytes(
  target: Buffer,
  at: number,
  { field, value }: { readonly field: number; readonly value: Uint8Array },
): number {
  target[at] = (field << 3) | LENGTH_DELIMITED;
  const valueAt = writeVarint(target, at + 1, value.length);
  target.set(value, valueAt);
  return valueAt + value.length;
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest > 0x7f; rest >>>= 7) {
    target[end] = (rest & 0x7f) | 0x80;
    end += 1;
  }
  target[end] = rest;
  return end + 1;
}
