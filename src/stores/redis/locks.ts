import type { Clock } from "../../idempotency/clock.js";
import type { LockReply, LockRequest } from "./lock-request.js";
import type { NodeBatches } from "./node-batches.js";

/**
 * The locks of one process, by which duplicates of a call that is executing are
 * known without the store of record. Nothing rests on them: `batchedLocks` are
 * ours, `fromRedlock` makes them of a Redlock.
 */
export interface Locks {
  /**
   * Asks the nodes for a copy of the answer, else for the lock, else whether a
   * call with this very request is executing.
   */
  request<Answer>(asked: LockRequest<Answer>): Promise<LockReply<Answer>>;
}

/** A lock that a majority gave us. */
export interface HeldLock {
  /** Notes that a call executes under the lock from now on. */
  keep(): void;
  /** Resolves once a majority has heard it, or none is left that might. */
  extend(ttlMs: number): Promise<void>;
  /**
   * Gives the lock back. What fails expires by itself. Resolves once nobody is
   * told any more that a call is executing: at once where nobody can have been.
   */
  release(): Promise<void>;
}

/** The parts of a gate that its locks work with. */
export interface LocksOptions {
  readonly nodeCount: number;
  readonly batches: NodeBatches;
  readonly clock: Clock;
  /** Unique among all processes. */
  readonly processName: string;
}

/** Makes the locks of a gate. */
export type CreateLocks = (on: LocksOptions) => Locks;
