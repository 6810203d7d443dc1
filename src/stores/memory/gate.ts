import { type Clock, systemClock } from "../../idempotency/clock.js";
import type { Outcome } from "../../idempotency/port/outcome.js";
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
} from "../../idempotency/port/store.js";
import { sameRequest } from "../../idempotency/request/fingerprint.js";
import { rememberingGenerations } from "../claim-generations.js";
import { createRecentAnswers } from "../recent-answers.js";
import { scopeKey } from "../scope-key.js";

interface Holder {
  readonly claim: Claim;
  readonly sinceMs: number;
  untilMs: number;
}

export interface MemoryGateOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** The longest time for which an answer is kept. Milliseconds. */
  readonly copyTtlMs: number;
  /** The most bytes that the kept answers may have together. Default 32 MiB; 0 keeps none. */
  readonly memoryBytes?: number;
  /**
   * Names the deployment and its generation, as they are now. Once it changes,
   * after a restore, all that was kept before is forgotten. Default: always the same.
   */
  readonly namespace?: () => string;
  readonly clock?: Clock;
}

/**
 * Puts a gate in front of a store, for a process without Redis: it answers the
 * duplicates of calls of its own process, and the store of record decides between
 * processes.
 */
export function memoryGate<Transaction>({
  store: record,
  copyTtlMs,
  memoryBytes,
  namespace = () => "",
  clock = systemClock,
}: MemoryGateOptions<Transaction>): IdempotencyStore<Transaction> {
  const { store, isCurrent } = rememberingGenerations(record, namespace);
  const holders = new Map<string, Holder>();
  const recent = createRecentAnswers({ namespace, clock, maxBytes: memoryBytes });
  let heldFor = namespace();

  async function claim(request: ClaimRequest): Promise<ClaimResult> {
    const outcome = recent.find(request.scope, request.fingerprint);
    if (outcome !== undefined) {
      return { kind: "replay", outcome };
    }
    forgetOtherDeployments();
    const key = scopeKey(request.scope);
    const nowMs = clock.nowMs();
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
    const [oldest] = holders;
    if (oldest !== undefined && oldest[1].untilMs <= nowMs) {
      holders.delete(oldest[0]);
    }
  }

  function removeHolder(claim: Claim): void {
    const key = scopeKey(claim.scope);
    if (holders.get(key)?.claim.fencingToken === claim.fencingToken) {
      holders.delete(key);
    }
  }

  /** A restored database knows nothing of who executed before. */
  function forgetOtherDeployments(): void {
    const current = namespace();
    if (current !== heldFor) {
      heldFor = current;
      holders.clear();
    }
  }

  function keepAnswer(claim: Claim, outcome: Outcome, retentionMs: number): void {
    if (isCurrent(claim)) {
      recent.keep(claim, outcome, Math.min(copyTtlMs, retentionMs));
    }
    removeHolder(claim);
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
        keepAnswer(claim, outcome, retentionMs);
      } else {
        removeHolder(claim);
      }
      return completed;
    },

    async committed(claim, outcome, retentionMs) {
      await store.committed(claim, outcome, retentionMs);
      keepAnswer(claim, outcome, retentionMs);
    },

    release: (claim) => ending(claim, store.release(claim)),
    reopen: (claim) => ending(claim, store.reopen(claim)),
    suspend: (claim, suspension) => ending(claim, store.suspend(claim, suspension)),
  };
}
