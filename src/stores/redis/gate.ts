import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { type Clock, systemClock } from "../../idempotency/clock.js";
import type { Outcome } from "../../idempotency/port/outcome.js";
import type {
  Claim,
  ClaimRequest,
  ClaimResult,
  IdempotencyStore,
} from "../../idempotency/port/store.js";
import { rememberingGenerations } from "../claim-generations.js";
import { createRecentAnswers } from "../recent-answers.js";
import { batchedLocks } from "./batched-locks.js";
import { createCachedOutcomes } from "./cached-outcome.js";
import { createCoalescedClaims } from "./coalesced-claims.js";
import { createFirstSeen } from "./first-seen.js";
import type { CreateLocks, HeldLock } from "./locks.js";
import { createNames, type Names, requestName } from "./names.js";
import { createNodeBatches } from "./node-batches.js";

/** Larger answers are replayed from the store of record. Bytes. */
const MAX_COPY_BYTES = 64 * 1024;

/**
 * The lock lives this part of the lease. The owner's heartbeat comes more
 * often; an owner that dies right after its commit hides its answer no longer.
 */
const LOCKS_PER_LEASE = 3;

/** The time after which nodes without a quorum are asked again. Milliseconds. */
const STEP_ASIDE_MS = 1_000;

export interface RedisGateOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  /** Independent nodes, an odd number of them; see `connectRedisNodes`. */
  readonly nodes: readonly Redis[];
  /**
   * Returns the beginning of every name in Redis: the deployment and its
   * generation, as they are now, such as `orders:<id>:<generation>`.
   */
  readonly namespace: () => string;
  /** The longest time for which a copy of an answer is kept. Milliseconds. */
  readonly copyTtlMs: number;
  /** The most bytes that the answers kept in this process may have together. Default 32 MiB; 0 keeps none. */
  readonly memoryBytes?: number;
  /** The locks. Default: `batchedLocks`. `fromRedlock(redlock)` takes a Redlock that you share with other work. */
  readonly locks?: CreateLocks;
  /** The secret of copies: with it they carry an HMAC instead of a plain checksum. */
  readonly secret?: string;
  readonly clock?: Clock;
  /** Calls back soon, after what has just arrived. Default `setImmediate`. */
  readonly soon?: (callback: () => void) => void;
  /** A name for this process that no other has. Default: a random UUID. */
  readonly newName?: () => string;
  readonly onEvent?: (event: RedisGateEvent) => void;
}

/** An answer of the gate, for a metric. */
export type RedisGateEvent =
  /** The process itself had the answer, and asked no node. */
  | { readonly type: "recalled" }
  | { readonly type: "hit" | "held" | "granted" | "undecided" }
  /** No quorum: for a while the store of record decides alone. */
  | { readonly type: "stepped_aside" };

function lockTtlMs(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / LOCKS_PER_LEASE));
}

/**
 * Puts a gate over Redis in front of a store, to answer duplicates without it: a
 * duplicate in flight meets the lock, a later one finds a copy of the answer.
 * Nothing rests on it: where the nodes disagree, or are gone, or lie, the store of
 * record decides alone.
 *
 * @throws RangeError if there is no node.
 */
export function redisGate<Transaction>(
  options: RedisGateOptions<Transaction>,
): IdempotencyStore<Transaction> {
  const { nodes, namespace, copyTtlMs, memoryBytes, clock = systemClock } = options;
  const { soon = setImmediate, newName = randomUUID, onEvent = () => {} } = options;
  const { locks: createLocks = batchedLocks } = options;
  if (nodes.length === 0) {
    throw new RangeError("nodes must name at least one Redis node");
  }
  const { store, isCurrent } = rememberingGenerations(options.store, namespace);
  const namesOf = createNames(namespace);
  const recent = createRecentAnswers({ namespace, clock, maxBytes: memoryBytes });
  const copies = createCachedOutcomes(options);
  const batches = createNodeBatches({ nodes, clock, soon });
  const locks = createLocks({ nodeCount: nodes.length, batches, clock, processName: newName() });
  const coalescedClaims = createCoalescedClaims();
  const firstSeen = createFirstSeen(clock.nowMs);
  const owned = new WeakMap<Claim, HeldLock>();
  let asideUntilMs = Number.NEGATIVE_INFINITY;

  async function claim(request: ClaimRequest): Promise<ClaimResult> {
    const outcome = recent.find(request.scope, request.fingerprint);
    if (outcome !== undefined) {
      onEvent({ type: "recalled" });
      return { kind: "replay", outcome };
    }
    if (clock.nowMs() < asideUntilMs || batches.isFull()) {
      return store.claim(request);
    }
    const names = namesOf(request.scope);
    return coalescedClaims.join(names.lock, request, (onSent) =>
      claimThroughNodes(request, names, onSent),
    );
  }

  async function claimThroughNodes(
    request: ClaimRequest,
    names: Names,
    onSent: () => void,
  ): Promise<ClaimResult> {
    const { scope, fingerprint } = request;
    const reply = await locks.request<Outcome>({
      lockName: names.lock,
      copyName: names.copy,
      request: requestName(fingerprint),
      ttlMs: lockTtlMs(request.leaseMs),
      verify: (copy) => copies.verify(scope, fingerprint, copy),
      onSent,
    });
    if (reply.kind === "no_quorum") {
      asideUntilMs = clock.nowMs() + STEP_ASIDE_MS;
      onEvent({ type: "stepped_aside" });
      return store.claim(request);
    }
    onEvent({ type: reply.kind });
    if (reply.kind === "held") {
      const elapsedMs = firstSeen.elapsedMs(names.lock);
      return { kind: "in_progress", elapsedMs, leaseRemainingMs: request.leaseMs };
    }
    firstSeen.forget(names.lock);
    switch (reply.kind) {
      case "hit":
        return { kind: "replay", outcome: reply.answer };
      case "undecided":
        return store.claim(request);
      case "granted":
        return claimUnder(reply.lock, request);
    }
  }

  async function claimUnder(lock: HeldLock, request: ClaimRequest): Promise<ClaimResult> {
    try {
      const result = await store.claim(request);
      if (result.kind === "claimed") {
        owned.set(result.claim, lock);
        lock.keep();
      } else {
        void lock.release();
      }
      return result;
    } catch (error) {
      // Waited for: the same caller asks again, and must not meet its own lock.
      await lock.release();
      throw error;
    }
  }

  /** Resolves once no node answers a duplicate any more that the call is executing. */
  async function release(claim: Claim): Promise<void> {
    const lock = owned.get(claim);
    if (lock !== undefined) {
      owned.delete(claim);
      await lock.release();
    }
  }

  /**
   * Sends the copy, and with it the lock's release. A copy that is not there
   * yet costs a replay in another process a call of the store of record, no more.
   */
  async function publish(claim: Claim, outcome: Outcome, retentionMs: number): Promise<void> {
    if (isCurrent(claim)) {
      const ttlMs = Math.floor(Math.min(copyTtlMs, retentionMs));
      recent.keep(claim, outcome, ttlMs);
      if (clock.nowMs() >= asideUntilMs) {
        const copy = copies.encode(claim.scope, claim.fingerprint, outcome);
        if (copy.length <= MAX_COPY_BYTES) {
          batches.add({ kind: "put", copyName: namesOf(claim.scope).copy, copy, ttlMs });
        }
      }
    }
    await release(claim);
  }

  return {
    ...store,
    claim,

    async extend(claim, leaseMs) {
      const lock = owned.get(claim);
      const [extended] = await Promise.all([
        store.extend(claim, leaseMs),
        lock?.extend(lockTtlMs(leaseMs)),
      ]);
      if (!extended) {
        await release(claim);
      }
      return extended;
    },

    async complete(claim, outcome, retentionMs) {
      const completed = await store.complete(claim, outcome, retentionMs);
      await (completed ? publish(claim, outcome, retentionMs) : release(claim));
      return completed;
    },

    async committed(claim, outcome, retentionMs) {
      await store.committed(claim, outcome, retentionMs);
      await publish(claim, outcome, retentionMs);
    },

    async release(claim) {
      const released = await store.release(claim);
      await release(claim);
      return released;
    },

    async reopen(claim) {
      const reopened = await store.reopen(claim);
      await release(claim);
      return reopened;
    },

    async suspend(claim, suspension) {
      const suspended = await store.suspend(claim, suspension);
      await release(claim);
      return suspended;
    },
  };
}
