import type { Redis } from "ioredis";
import Redlock, { type Lock } from "redlock";
import { systemClock } from "../../idempotency/clock.js";
import type { Outcome } from "../../idempotency/outcome.js";
import { scopeHash } from "../../idempotency/scope.js";
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
} from "../../idempotency/store.js";
import { createCachedOutcomes } from "./cached-outcome.js";
import { consult, release } from "./consult.js";
import { createFirstSeen } from "./first-seen.js";
import { createOwnerLocks } from "./owner-locks.js";

/** Larger answers are replayed from the store of record. Bytes. */
const MAX_COPY_BYTES = 64 * 1024;

/**
 * The lock lives this part of the lease. The owner's heartbeat comes more
 * often; an owner that dies right after its commit hides its answer no longer.
 */
const LOCKS_PER_LEASE = 3;

/** After how long nodes without a quorum are asked again. Milliseconds. */
const STEP_ASIDE_MS = 1_000;

export interface RedisGateOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** Independent nodes, an odd number of them; see `connectRedisNodes`. */
  readonly nodes: readonly Redis[];
  /** Begins every name in Redis: the deployment and its generation, as they are now. */
  readonly namespace: () => string;
  /** How long a copy of an answer is kept, at most. Milliseconds. */
  readonly copyTtlMs: number;
  /** When set, copies carry an HMAC under it instead of a plain checksum. */
  readonly secret?: string;
  readonly nowMs?: () => number;
  readonly onEvent?: (event: RedisGateEvent) => void;
}

export type RedisGateEvent =
  | { readonly type: "hit" | "held" | "granted" | "undecided" }
  /** No quorum: for a while the store of record decides alone. */
  | { readonly type: "stepped_aside" };

function lockDurationMs(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / LOCKS_PER_LEASE));
}

/**
 * Resolves once most of the writes have ended, in whatever way: a node that
 * hangs must not hold up an answer, and a copy that is not kept costs a later
 * replay a call of the store of record, no more.
 */
function majorityEnded(writes: readonly Promise<unknown>[]): Promise<void> {
  return new Promise((resolve) => {
    let ended = 0;
    const end = () => {
      ended += 1;
      if (ended > writes.length / 2) {
        resolve();
      }
    };
    for (const write of writes) {
      write.then(end, end);
    }
    if (writes.length === 0) {
      resolve();
    }
  });
}

/**
 * Keeps duplicates from the store of record: a duplicate in flight meets the
 * lock, a later one finds a copy of the answer. Nothing rests on it: where the
 * nodes disagree, or are gone, or lie, the store of record decides alone.
 */
export function redisGate<Transaction>(
  options: RedisGateOptions<Transaction>,
): IdempotencyStore<Transaction> {
  const { store, nodes, namespace, copyTtlMs } = options;
  const { nowMs = systemClock.nowMs, onEvent = () => {} } = options;
  // One attempt: a refusal is an answer here, and a retry would only delay it.
  const redlock = new Redlock(nodes, { retryCount: 0 });
  const copies = createCachedOutcomes(options);
  const firstSeen = createFirstSeen(nowMs);
  const locks = createOwnerLocks(redlock);
  let asideUntilMs = Number.NEGATIVE_INFINITY;

  function namesOf({ scope, fingerprint }: Pick<ClaimRequest, "scope" | "fingerprint">) {
    const prefix = namespace();
    const key = Buffer.from(scopeHash(scope)).toString("hex");
    const request = Buffer.from(fingerprint.canonical).toString("hex");
    return {
      lock: `${prefix}:lock:${key}`,
      holder: `${prefix}:lock:${key}:${fingerprint.version}:${request}`,
      copy: `${prefix}:copy:${key}`,
    };
  }

  async function claim(request: ClaimRequest): Promise<ClaimResult> {
    if (nowMs() < asideUntilMs) {
      return store.claim(request);
    }
    const names = namesOf(request);
    const durationMs = lockDurationMs(request.leaseMs);
    const verdict = await consult<Outcome>({
      nodes,
      redlock,
      resources: [names.lock],
      holderKey: names.holder,
      copyKey: names.copy,
      lockDurationMs: durationMs,
      verify: (copy) => copies.verify(request.scope, request.fingerprint, copy),
    });
    if (verdict.kind === "no_quorum") {
      asideUntilMs = nowMs() + STEP_ASIDE_MS;
      onEvent({ type: "stepped_aside" });
      return store.claim(request);
    }
    onEvent({ type: verdict.kind });
    if (verdict.kind === "held") {
      const elapsedMs = firstSeen.elapsedMs(names.lock);
      return { kind: "in_progress", elapsedMs, leaseRemainingMs: request.leaseMs };
    }
    firstSeen.forget(names.lock);
    switch (verdict.kind) {
      case "hit":
        return { kind: "replay", outcome: verdict.answer };
      case "undecided":
        return store.claim(request);
      case "granted":
        return claimUnder(verdict.lock, request, { holderKey: names.holder, durationMs });
    }
  }

  async function claimUnder(
    lock: Lock,
    request: ClaimRequest,
    holder: { readonly holderKey: string; readonly durationMs: number },
  ): Promise<ClaimResult> {
    try {
      const result = await store.claim(request);
      if (result.kind === "claimed") {
        locks.keep(result.claim, lock, holder);
      } else {
        void release(lock);
      }
      return result;
    } catch (error) {
      // Waited for: the same caller asks again, and must not meet its own lock.
      await release(lock);
      throw error;
    }
  }

  /** Sends the copy and gives the lock back in one round trip. */
  async function publish(claim: Claim, outcome: Outcome, retentionMs: number): Promise<void> {
    const copy = copies.encode(claim.scope, claim.fingerprint, outcome);
    const isKept = copy.length <= MAX_COPY_BYTES && nowMs() >= asideUntilMs;
    const ttlMs = Math.floor(Math.min(copyTtlMs, retentionMs));
    const name = namesOf(claim).copy;
    const writes = isKept
      ? nodes.map((node) => node.set(name, Buffer.from(copy), "PX", ttlMs))
      : [];
    await Promise.all([locks.release(claim), majorityEnded(writes)]);
  }

  return {
    ...store,
    claim,

    async extend(claim, leaseMs) {
      const [extended] = await Promise.all([
        store.extend(claim, leaseMs),
        locks.extend(claim, lockDurationMs(leaseMs)),
      ]);
      if (!extended) {
        await locks.release(claim);
      }
      return extended;
    },

    async complete(claim, outcome, retentionMs) {
      const completed = await store.complete(claim, outcome, retentionMs);
      await (completed ? publish(claim, outcome, retentionMs) : locks.release(claim));
      return completed;
    },

    async committed(claim, outcome, retentionMs) {
      await Promise.all([
        store.committed(claim, outcome, retentionMs),
        publish(claim, outcome, retentionMs),
      ]);
    },

    async release(claim) {
      const released = await store.release(claim);
      await locks.release(claim);
      return released;
    },

    async suspend(claim, suspension) {
      const suspended = await store.suspend(claim, suspension);
      await locks.release(claim);
      return suspended;
    },
  };
}
