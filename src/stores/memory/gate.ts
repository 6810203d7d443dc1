import { type Clock, systemClock } from "../../idempotency/clock.js";
import { type Fingerprint, sameRequest } from "../../idempotency/fingerprint.js";
import { encodeOutcome, type Outcome } from "../../idempotency/outcome.js";
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
} from "../../idempotency/store.js";
import { scopeKey } from "./scope-key.js";

/** What the copies of answers may take together; the oldest go first. Bytes. */
const MAX_COPIES_BYTES = 64 * 1024 * 1024;

/** What a copy takes besides its bytes: the objects that hold it. Measured. */
const COPY_OVERHEAD_BYTES = 1_024;

interface Holder {
  readonly claim: Claim;
  readonly sinceMs: number;
  untilMs: number;
}

interface Copy {
  readonly fingerprint: Fingerprint;
  readonly outcome: Outcome;
  readonly sizeBytes: number;
  readonly untilMs: number;
}

export interface MemoryGateOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** How long a copy of an answer is kept, at most. Milliseconds. */
  readonly copyTtlMs: number;
  /**
   * Names the deployment and its generation, as they are now. Once it changes,
   * after a restore, all that was kept before is forgotten. Default: always the same.
   */
  readonly namespace?: () => string;
  readonly clock?: Clock;
}

/**
 * Keeps this process's duplicates from the store of record, where there is no
 * Redis. It knows only calls of its own process; the store of record decides
 * between processes.
 */
export function memoryGate<Transaction>({
  store,
  copyTtlMs,
  namespace = () => "",
  clock = systemClock,
}: MemoryGateOptions<Transaction>): IdempotencyStore<Transaction> {
  const holders = new Map<string, Holder>();
  // In the order they were made, which is nearly the order they expire in.
  const copies = new Map<string, Copy>();
  let copiesBytes = 0;
  let keptFor = namespace();

  /** A restored database knows nothing of what it answered before. */
  function forgetOtherDeployments(): void {
    const current = namespace();
    if (current !== keptFor) {
      keptFor = current;
      holders.clear();
      copies.clear();
      copiesBytes = 0;
    }
  }

  async function claim(request: ClaimRequest): Promise<ClaimResult> {
    forgetOtherDeployments();
    const key = scopeKey(request.scope);
    const nowMs = clock.nowMs();
    const copy = copies.get(key);
    if (copy !== undefined && copy.untilMs <= nowMs) {
      removeCopy(key);
    } else if (copy !== undefined && sameRequest(copy.fingerprint, request.fingerprint)) {
      return { kind: "replay", outcome: copy.outcome };
    }
    const holder = holders.get(key);
    if (
      holder !== undefined &&
      holder.untilMs > nowMs &&
      holder.claim.claimId !== request.claimId &&
      sameRequest(holder.claim.fingerprint, request.fingerprint)
    ) {
      return {
        kind: "in_progress",
        elapsedMs: nowMs - holder.sinceMs,
        leaseRemainingMs: holder.untilMs - nowMs,
      };
    }
    const result = await store.claim(request);
    if (result.kind === "claimed") {
      const sinceMs = clock.nowMs();
      forgetOldest(sinceMs);
      holders.set(key, { claim: result.claim, sinceMs, untilMs: sinceMs + request.leaseMs });
    }
    return result;
  }

  /** One out for each one in keeps holders that never ended from piling up. */
  function forgetOldest(nowMs: number): void {
    for (const [key, { untilMs }] of holders) {
      if (untilMs <= nowMs) {
        holders.delete(key);
      }
      return;
    }
  }

  function removeHolder(claim: Claim): void {
    const key = scopeKey(claim.scope);
    if (holders.get(key)?.claim.fencingToken === claim.fencingToken) {
      holders.delete(key);
    }
  }

  function removeCopy(key: string): void {
    copiesBytes -= copies.get(key)?.sizeBytes ?? 0;
    copies.delete(key);
  }

  function keepCopy(claim: Claim, outcome: Outcome, retentionMs: number): void {
    forgetOtherDeployments();
    const key = scopeKey(claim.scope);
    const sizeBytes = COPY_OVERHEAD_BYTES + key.length + encodeOutcome(outcome).length;
    if (sizeBytes > MAX_COPIES_BYTES) {
      return;
    }
    removeCopy(key);
    const { version, canonical, raw } = claim.fingerprint;
    copies.set(key, {
      // Bytes of their own: those given are often a small part of a buffer that they would pin.
      fingerprint: { version, canonical: new Uint8Array(canonical), raw: new Uint8Array(raw) },
      outcome: { ...outcome, body: new Uint8Array(outcome.body) },
      sizeBytes,
      untilMs: clock.nowMs() + Math.min(copyTtlMs, retentionMs),
    });
    copiesBytes += sizeBytes;
    for (const oldest of copies.keys()) {
      if (copiesBytes <= MAX_COPIES_BYTES) {
        break;
      }
      removeCopy(oldest);
    }
  }

  /** Forgets the holder, whatever becomes of the write that ends its claim. */
  async function ending(claim: Claim, write: Promise<boolean>): Promise<boolean> {
    try {
      return await write;
    } finally {
      removeHolder(claim);
    }
  }

  return {
    ...store,
    claim,

    async extend(claim, leaseMs) {
      const extended = await store.extend(claim, leaseMs);
      const holder = holders.get(scopeKey(claim.scope));
      if (!extended) {
        removeHolder(claim);
      } else if (holder?.claim.fencingToken === claim.fencingToken) {
        holder.untilMs = clock.nowMs() + leaseMs;
      }
      return extended;
    },

    async complete(claim, outcome, retentionMs) {
      const completed = await store.complete(claim, outcome, retentionMs);
      if (completed) {
        keepCopy(claim, outcome, retentionMs);
      }
      removeHolder(claim);
      return completed;
    },

    async committed(claim, outcome, retentionMs) {
      await store.committed(claim, outcome, retentionMs);
      keepCopy(claim, outcome, retentionMs);
      removeHolder(claim);
    },

    release: (claim) => ending(claim, store.release(claim)),
    suspend: (claim, suspension) => ending(claim, store.suspend(claim, suspension)),
  };
}
