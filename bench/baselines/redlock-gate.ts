import { Redis } from "ioredis";
import Redlock, { type Lock } from "redlock";
import { decodeOutcome, encodeOutcome } from "../../src/idempotency/port/outcome.js";
import { type Scope, scopeHash } from "../../src/idempotency/port/scope.js";
import type { Claim, IdempotencyStore } from "../../src/idempotency/port/store.js";

export interface RedlockGateOptions<Transaction> {
  readonly store: IdempotencyStore<Transaction>;
  readonly redisUrls: readonly string[];
  /** Begins every name in Redis. */
  readonly prefix: string;
  /** How long a copy of an answer is kept. Milliseconds. */
  readonly copyTtlMs: number;
}

/**
 * The gate as one would write it by hand: look for a copy of the answer, take
 * a lock with the redlock package, do the work, keep a copy, give the lock
 * back. One call at a time, with commands of its own. A baseline only: a copy
 * is not checked for the request, and a lock is not extended.
 */
export function redlockGate<Transaction>(
  options: RedlockGateOptions<Transaction>,
): IdempotencyStore<Transaction> {
  const { store, redisUrls, prefix, copyTtlMs } = options;
  // Commands sent in one turn of the event loop share a write.
  const nodes = redisUrls.map((url) => new Redis(url, { enableAutoPipelining: true }));
  const redlock = new Redlock(nodes, { retryCount: 0 });
  const locks = new WeakMap<Claim, Lock>();
  const hex = (scope: Scope) => Buffer.from(scopeHash(scope)).toString("hex");

  async function giveBack(lock: Lock | undefined): Promise<void> {
    await lock?.release().catch(() => {}); // it expires by itself
  }

  return {
    ...store,

    async claim(request) {
      const name = hex(request.scope);
      const copies = await Promise.all(
        nodes.map((node) => node.getBuffer(`${prefix}:copy:${name}`)),
      );
      const copy = copies.find((bytes) => bytes !== null);
      if (copy) {
        return { kind: "replay", outcome: decodeOutcome(copy) };
      }
      const lock = await redlock
        .acquire([`${prefix}:lock:${name}`], request.leaseMs)
        .catch(() => undefined);
      if (lock === undefined) {
        return { kind: "in_progress", leaseRemainingMs: request.leaseMs };
      }
      const result = await store.claim(request);
      if (result.kind === "claimed") {
        locks.set(result.claim, lock);
      } else {
        await giveBack(lock);
      }
      return result;
    },

    async complete(claim, outcome, retentionMs) {
      const completed = await store.complete(claim, outcome, retentionMs);
      const copy = Buffer.from(encodeOutcome(outcome));
      const name = `${prefix}:copy:${hex(claim.scope)}`;
      if (completed) {
        await Promise.all(nodes.map((node) => node.set(name, copy, "PX", copyTtlMs)));
      }
      await giveBack(locks.get(claim));
      return completed;
    },

    async release(claim) {
      const released = await store.release(claim);
      await giveBack(locks.get(claim));
      return released;
    },
  };
}
