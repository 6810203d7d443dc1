import type { Clock } from "../../idempotency/clock.js";
import { type Consultation, consult, type OwnedLock, type Question } from "./consult.js";
import { createMarks } from "./marks.js";
import type { NodeBatches } from "./node-batches.js";

export interface Locks {
  /** Asks the nodes; see `consult`. */
  consult<Answer>(question: Omit<Question<Answer>, "token">): Promise<Consultation<Answer>>;
  /** From now on a call executes under the lock. */
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
  const marks = createMarks({ clock, mark: (lock) => batches.add({ kind: "mark", lock }) });

  return {
    consult(question) {
      marks.hurry(question.lockName);
      claims += 1;
      return consult({ ...question, token: `${processName}.${claims.toString(36)}` }, on);
    },
    keep: marks.add,
    extend: (lock, ttlMs) =>
      new Promise((onDone) => batches.add({ kind: "extend", lock, ttlMs, onDone })),
    async release(lock) {
      lock.isWanted = false;
      if (marks.remove(lock)) {
        batches.add({ kind: "release", lock });
      } else {
        await new Promise<void>((onDone) => batches.add({ kind: "release", lock, onDone }));
      }
    },
  };
}
