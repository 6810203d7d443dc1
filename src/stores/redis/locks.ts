import type { Clock } from "../../idempotency/clock.js";
import { createExecutingLocks } from "./executing-locks.js";
import { type LockReply, type LockRequest, type OwnedLock, requestLock } from "./lock-request.js";
import type { NodeBatches } from "./node-batches.js";

export interface Locks {
  /** Asks the nodes; see `requestLock`. */
  request<Answer>(asked: Omit<LockRequest<Answer>, "token">): Promise<LockReply<Answer>>;
  /** Notes that a call executes under the lock from now on. */
  keep(lock: OwnedLock): void;
  /** Resolves once a majority has heard it, or none is left that might. */
  extend(lock: OwnedLock, ttlMs: number): Promise<void>;
  /**
   * Gives the lock back. What fails expires by itself. Resolves once nobody is
   * told any more that a call is executing: at once where nobody can have been.
   */
  release(lock: OwnedLock): Promise<void>;
}

/** The locks of one process: Redlock, with locks that say whose request executes under them. */
export function createLocks(on: {
  readonly nodeCount: number;
  readonly batches: NodeBatches;
  readonly clock: Clock;
  /** Unique among all processes. */
  readonly processName: string;
}): Locks {
  const { batches, clock, processName } = on;
  // A random name and a number: unique, without random bytes for each claim.
  let claims = 0;
  const executing = createExecutingLocks({
    clock,
    mark: (lock) => batches.add({ kind: "mark", lock }),
  });

  return {
    request(asked) {
      executing.hurry(asked.lockName);
      claims += 1;
      return requestLock({ ...asked, token: `${processName}.${claims.toString(36)}` }, on);
    },
    keep: executing.add,
    extend: (lock, ttlMs) =>
      new Promise((onDone) => batches.add({ kind: "extend", lock, ttlMs, onDone })),
    async release(lock) {
      lock.isWanted = false;
      if (executing.remove(lock)) {
        batches.add({ kind: "release", lock });
      } else {
        await new Promise<void>((onDone) => batches.add({ kind: "release", lock, onDone }));
      }
    },
  };
}
